"""A real OpenLDAP server on a host of its own, with the overlay ppolicy and two accounts."""

from __future__ import annotations

import shutil
import time

from tests.support.hosts import Host
from tests.support.tools import need_tool

SUFFIX = "dc=example,dc=org"
PASSWORD = "correct horse"
SOCKET = "ldapi://%2Frun%2Fslapd%2Fldapi"
_CONFIG = """
dn: cn=config
objectClass: olcGlobal
cn: config
olcPidFile: /run/slapd/pid

dn: cn=module,cn=config
objectClass: olcModuleList
cn: module
olcModulePath: /usr/lib/ldap
olcModuleLoad: back_mdb
olcModuleLoad: ppolicy

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

include: file:///etc/ldap/schema/core.ldif
include: file:///etc/ldap/schema/cosine.ldif
include: file:///etc/ldap/schema/inetorgperson.ldif

dn: olcDatabase=config,cn=config
objectClass: olcDatabaseConfig
olcDatabase: config
olcAccess: to * by dn.exact=gidNumber=0+uidNumber=0,cn=peercred,cn=external,cn=auth manage

dn: olcDatabase=mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: mdb
olcSuffix: {suffix}
olcDbDirectory: /run/slapd/data
olcAccess: to * by dn.exact=gidNumber=0+uidNumber=0,cn=peercred,cn=external,cn=auth manage by anonymous auth

dn: olcOverlay=ppolicy,olcDatabase={{1}}mdb,cn=config
objectClass: olcPPolicyConfig
olcOverlay: ppolicy
olcPPolicyDefault: cn=policy,{suffix}
"""
_ENTRIES = """
dn: {suffix}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: cn=policy,{suffix}
objectClass: organizationalRole
objectClass: pwdPolicy
cn: policy
pwdAttribute: userPassword
pwdLockout: {lockout}
{accounts}"""
_ACCOUNT = """
dn: {dn}
objectClass: inetOrgPerson
uid: {uid}
cn: {uid}
sn: {uid}
userPassword: {password}
"""
_PATIENCE_SECONDS = 20


def account(uid: str) -> str:
    return f"uid={uid},{SUFFIX}"


def serve(host: Host, *, uids: tuple[str, ...], lockout: bool = True) -> None:
    """Start slapd on a host and wait until it answers."""
    slapd = need_tool("slapd", "slapd")
    for each in ("config", "data"):
        (host.root / "run" / "slapd" / each).mkdir(parents=True)
    host.run(
        shutil.which("slapadd", path="/usr/sbin:/sbin") or "slapadd",
        *("-n", "0", "-F", "/run/slapd/config"),
        stdin=_CONFIG.format(suffix=SUFFIX),
    )
    accounts = "".join(_ACCOUNT.format(dn=account(each), uid=each, password=PASSWORD) for each in uids)
    entries = _ENTRIES.format(suffix=SUFFIX, lockout=str(lockout).upper(), accounts=accounts)
    host.run(
        shutil.which("slapadd", path="/usr/sbin:/sbin") or "slapadd",
        *("-n", "1", "-F", "/run/slapd/config"),
        stdin=entries,
    )
    # With a level of logging it stays in the foreground.
    host.start(slapd, "-h", f"{SOCKET} ldap://127.0.0.1:389", "-F", "/run/slapd/config", "-d", "0")
    until = time.monotonic() + _PATIENCE_SECONDS
    while not binds(host, uids[0]):
        assert time.monotonic() < until, (host.folder / "log").read_text()[-2000:]
        time.sleep(0.02)


def binds(host: Host, uid: str, password: str = PASSWORD) -> bool:
    """Whether somebody can sign in with an account, over the network."""
    tool = need_tool("ldapwhoami", "ldap-utils")
    done = host.run(tool, "-x", "-H", "ldap://127.0.0.1:389", "-D", account(uid), "-w", password, check=False)
    return done.returncode == 0
