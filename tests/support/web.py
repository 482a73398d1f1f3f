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
    program = need_tool("nginx", "nginx")
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


_HAPROXY = """
global
  stats socket /run/haproxy/admin.sock mode 660 level admin
defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
backend tocsin_rate
  stick-table type ipv6 size 100k expire 60s store http_req_rate(60s)
frontend web
  bind 127.0.0.1:80
RULES
  http-request return status 200 content-type text/plain string "people"
"""
FOLDER = "/etc/haproxy/tocsin"
_RULES = f"""
  http-request return status 503 if {{ path,url_dec -m reg -i -f {FOLDER}/disabled.lst }}
  http-request set-var(txn.tocsin_rate) path,url_dec,map_reg_int({FOLDER}/throttled.map,0)
  http-request track-sc2 src table tocsin_rate if {{ var(txn.tocsin_rate) -m int gt 0 }}
  http-request return status 429 if {{ var(txn.tocsin_rate) -m int gt 0 }} {{ sc2_http_req_rate(tocsin_rate),sub(txn.tocsin_rate) gt 0 }}
"""


def haproxy(host: Host, *, prepared: bool = True) -> None:
    """Start HAProxy on a host; `prepared`: with the rules and the files that the parts use."""
    program = need_tool("haproxy", "haproxy")
    (host.root / "run" / "haproxy").mkdir(exist_ok=True)
    if not (host.root / "run" / "haproxy" / "admin.sock").exists():  # the first start here
        host.run("mount", "-t", "tmpfs", "tmpfs", "/etc/haproxy")
        folder = host.root / "etc" / "haproxy"
        (folder / "haproxy.cfg").write_text(_HAPROXY.replace("RULES", _RULES if prepared else ""))
        (folder / "tocsin").mkdir()
        for name in ("disabled.lst", "throttled.map"):
            (folder / "tocsin" / name).touch()
    host.start(program, "-db", "-f", "/etc/haproxy/haproxy.cfg")
    wait_for_port(host, PORT)
