"""What each container may do, see and reach: less than it might."""

import json
import subprocess

import pytest

SERVICES = ["edge", "auth", "session", "limiter", "validator", "audit", "chat", "redis", "haproxy"]
ROLES = {"edge": "edge", "auth": "auth", "session": "session", "limiter": "limiter", "validator": "validator",
         "audit": "audit", "chat": "app"}


def inspect(container):
    return json.loads(subprocess.run(["docker", "inspect", container], check=True, capture_output=True).stdout)[0]


@pytest.mark.parametrize("service", SERVICES)
def test_no_privilege(gate, service):
    for container in gate.containers(service):
        told = inspect(container)
        assert told["Config"]["User"] not in ("", "root", "0")
        assert told["HostConfig"]["ReadonlyRootfs"] is True
        assert told["HostConfig"]["CapDrop"] == ["ALL"]
        status = dict(line.split(":\t", 1) for line in gate.exec(container, "cat", "/proc/1/status").splitlines()
                      if ":\t" in line)
        assert status["NoNewPrivs"] == "1"
        for which in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[which], 16) == 0, f"{which} {status[which]}"
        assert status["Uid"].split()[0] != "0"
        with pytest.raises(subprocess.CalledProcessError):
            gate.exec(container, "bash", "-c", "echo x > /etc/x || echo x > /usr/bin/x || exit 1")


@pytest.mark.parametrize("service", ROLES)
def test_own_secret_only(gate, service):
    names = gate.exec(gate.containers(service)[0], "ls", "/etc/gatehouse/private/bus").split()
    assert [n for n in names if n.endswith(".secret")] == [ROLES[service] + ".secret"]
    assert len([n for n in names if n.endswith(".pub")]) >= len(set(ROLES.values()))


@pytest.mark.parametrize("service,files", [
    ("edge", {"bus", "tls"}), ("validator", {"bus"}), ("chat", {"bus"}), ("auth", {"bus", "keys", "redis.password"}),
    ("session", {"bus", "redis.password"}), ("limiter", {"bus", "redis.password"}),
    ("audit", {"bus", "keys", "redis.password"})])
def test_no_other_private_file(gate, service, files):
    container = gate.containers(service)[0]
    assert set(gate.exec(container, "ls", "/etc/gatehouse/private").split()) == files
    everything = gate.exec(container, "find", "-L", "/etc/gatehouse", "-type", "f")
    assert "issuer.key" not in everything, "only gatehousectl may sign tokens"
    assert "ca.key" not in everything


def reaches(gate, container, host, port):
    try:
        gate.exec(container, "timeout", "3", "bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}")
        return True
    except subprocess.CalledProcessError:
        return False


@pytest.mark.parametrize("service,host,port,may", [
    ("session", "redis", 6379, True), ("limiter", "redis", 6379, True),
    ("edge", "redis", 6379, False), ("validator", "redis", 6379, False), ("chat", "redis", 6379, False),
    ("haproxy", "redis", 6379, False),
    ("edge", "auth", 5701, True), ("haproxy", "edge", 8443, True),
    ("haproxy", "auth", 5701, False), ("haproxy", "validator", 5710, False),
    ("validator", "haproxy", 8443, False)])
def test_networks(gate, service, host, port, may):
    assert reaches(gate, gate.containers(service)[0], host, port) is may
