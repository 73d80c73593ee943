# shellcheck shell=bash
# What the scripts share. Sourced, with $root set to the top of the checkout.

gh_say() { printf '%s\n' "gatehouse: $*" >&2; }
gh_die() { printf '%s\n' "gatehouse: error: $*" >&2; exit 1; }

# gh_packages [SECTION...]: names in those sections of deploy/packages.debian, or in all.
gh_packages() {
    awk -v want=" $* " '
        { sub(/#.*/, ""); gsub(/[ \t]/, "") }
        /^\[/ { name = substr($0, 2, length($0) - 2); next }
        NF && (want ~ /^ *$/ || index(want, " " name " "))' "${root:?}/deploy/packages.debian"
}

# gh_build DIR [cmake option...]: configures DIR when its options changed, then builds.
gh_build() {
    local dir=$1 options
    shift
    options=(-S "${root:?}" -B "$dir" -G Ninja "$@")
    if command -v ccache >/dev/null; then options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache); fi
    if [ ! -f "$dir/build.ninja" ] || [ "$(cat "$dir/.gatehouse-options" 2>/dev/null)" != "${options[*]}" ]; then
        cmake "${options[@]}" >"$dir.configure.log" 2>&1 || {
            cat "$dir.configure.log" >&2
            gh_die "cmake could not configure $dir"
        }
        printf '%s' "${options[*]}" >"$dir/.gatehouse-options"
        mv "$dir.configure.log" "$dir/configure.log"
    fi
    ninja -C "$dir" ${GH_JOBS:+-j "$GH_JOBS"}
}

# gh_port_free ADDRESS PORT: nobody listens there. A listener without SO_REUSEPORT of ours would
# make every edge fail at its bind, each with a line of its own; one line before is kinder.
gh_port_free() {
    ! (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null
}

# gh_run_dir: where scripts/up keeps what it runs. The longest socket under it is
# s/validator.validator-99.99.validator.sock, and a Unix socket's path ends at 107 bytes.
gh_run_dir() {
    local run=${GH_RUN:-${root:?}/.run}
    if [ $((${#run} + 44)) -gt 107 ]; then
        run=${XDG_RUNTIME_DIR:-/tmp}/gatehouse-$(id -u)-$(printf '%s' "$root" | cksum | cut -d' ' -f1)
    fi
    printf '%s' "$run"
}

# gh_ready SOCKET: /readyz on that admin socket says 200.
gh_ready() {
    [ -S "$1" ] && curl -sf -o /dev/null -m 2 --unix-socket "$1" http://admin/readyz
}

# gh_not_ready SOCKET: the checks that fail, on one line.
gh_not_ready() {
    if [ -S "$1" ]; then
        curl -s -m 2 --unix-socket "$1" http://admin/readyz | tr '\n' ' ' || echo "does not answer"
    else
        echo "has not started"
    fi
}
