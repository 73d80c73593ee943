# shellcheck shell=bash
# A Docker engine for tests, on machines where none runs. Sourced after common.sh.

# gh_docker_start DIR: uses the engine that runs, or starts dockerd with its log in DIR; then
# gh_docker_stop ends it. What this kernel lacks is found by trying: iptables by nftables, then the
# older tables; the default storage driver, then plain copies.
gh_docker_start() {
    local dir=$1 attempt mtu
    if docker info >/dev/null 2>&1; then return; fi
    [ "$(id -u)" -eq 0 ] || gh_die "no Docker engine answers, and only root can start one"
    gh_docker_cgroups
    # Containers must not send larger packets than this machine may.
    mtu=$(cat "/sys/class/net/$(ip route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)/mtu" 2>/dev/null || echo 1500)
    mkdir -p "$dir/iptables-legacy"
    for tool in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
        ln -sf "$(command -v "${tool/tables/tables-legacy}" || echo /bin/false)" "$dir/iptables-legacy/$tool"
    done
    for attempt in '' legacy vfs; do
        local path=$PATH options=(--mtu "$mtu" --pidfile "$dir/dockerd.pid")
        [ -z "$attempt" ] || path=$dir/iptables-legacy:$PATH
        [ "$attempt" != vfs ] || options+=(--storage-driver vfs)
        PATH=$path setsid dockerd "${options[@]}" >"$dir/dockerd.log" 2>&1 </dev/null &
        gh_dockerd=$!
        for _ in $(seq 300); do
            if docker info >/dev/null 2>&1; then return; fi
            kill -0 "$gh_dockerd" 2>/dev/null || break
            sleep 0.1
        done
        gh_docker_stop
    done
    tail -n 20 "$dir/dockerd.log" >&2
    gh_die "dockerd does not start"
}

# Machines without an init system may lack the control-group mounts.
gh_docker_cgroups() {
    local name
    if mountpoint -q /sys/fs/cgroup; then return; fi
    mount -t tmpfs -o uid=0,gid=0,mode=0755 cgroup /sys/fs/cgroup
    while read -r name _ _ enabled; do
        [ "$enabled" = 1 ] || continue
        mkdir -p "/sys/fs/cgroup/$name"
        mount -n -t cgroup -o "$name" cgroup "/sys/fs/cgroup/$name" || rmdir "/sys/fs/cgroup/$name"
    done < <(sed 1d /proc/cgroups)
}

gh_dockerd=
gh_docker_stop() {
    [ -n "$gh_dockerd" ] || return 0
    kill -TERM "$gh_dockerd" 2>/dev/null
    wait "$gh_dockerd" 2>/dev/null
    gh_dockerd=
}

# gh_docker_base TAG: there already, or pulled, or made from Debian's packages.
gh_docker_base() {
    docker image inspect "$1" >/dev/null 2>&1 && return
    gh_say "getting $1"
    timeout 300 docker pull -q "$1" >/dev/null 2>&1 && return
    gh_say "it cannot be pulled; making it"
    "${root:?}/docker/make-base" "$1" >&2
}
