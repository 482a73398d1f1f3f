"""Real web servers on hosts of their own: nginx with and without what the containment parts need."""

from __future__ import annotations

import re

from tests.support.hosts import Host
from tests.support.networks import wait_for_port
from tests.support.tools import need_tool

PORT = 80
_NGINX = """
user root;
pid /run/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  default_type text/plain;
  client_body_temp_path /run/nginx-body; proxy_temp_path /run/nginx-proxy; fastcgi_temp_path /run/nginx-fastcgi;
  uwsgi_temp_path /run/nginx-uwsgi; scgi_temp_path /run/nginx-scgi;
  include /etc/nginx/conf.d/*.conf;
  server {
    listen 80;
    INCLUDE
    location = /api/v2/search { try_files /none @answer; }
    location / { try_files /none @answer; }
    location @answer { return 200 "people\\n"; }
  }
}
"""


def nginx(host: Host, *, prepared: bool = True) -> None:
    """Start nginx on a host; `prepared`: its server includes what the part writes."""
    program = need_tool("nginx", "nginx-light")
    host.run("mount", "-t", "tmpfs", "tmpfs", "/etc/nginx")
    include = "include /etc/nginx/tocsin/*.conf;" if prepared else ""
    folder = host.root / "etc" / "nginx"
    (folder / "conf.d").mkdir()
    (folder / "nginx.conf").write_text(_NGINX.replace("INCLUDE", include))
    host.start(program, "-g", "daemon off;")
    wait_for_port(host, PORT)


def get(host: Host, path: str, *, port: int = PORT) -> int:
    """The status of an answer, the path sent as it is."""
    curl = need_tool("curl", "curl")
    words = ["--path-as-is", "-g", "-s", "-m", "20", "-o", "/dev/null", "-w", "%{http_code}"]
    return int(host.run(curl, *words, f"http://127.0.0.1:{port}{path}").stdout)


def hurry(host: Host, path: str, *, times: int = 20, port: int = PORT) -> list[int]:
    """The statuses of calls in quick succession."""
    curl = need_tool("curl", "curl")
    words = ["-s", "-m", "20", "-o", "/dev/null", "-w", "%{http_code}\n"]
    found = host.run(curl, *words, f"http://127.0.0.1:{port}{path}?n=[1-{times}]").stdout
    return [int(each) for each in re.findall(r"\d+", found)]
