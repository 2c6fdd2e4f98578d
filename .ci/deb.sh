#!/usr/bin/env bash
# Makes a Debian package of a binary, and installs, starts, upgrades and removes it in a copy of this system that is thrown
# away. It needs dpkg alone, and no build of its own. Usage: .ci/deb.sh path/to/orderd [folder for the package]
set -euo pipefail

orderd=$(realpath "${1:?usage: .ci/deb.sh path/to/orderd [folder for the package]}")
top=$(realpath "$(dirname "$0")/..")
folder=$(mktemp -d)
to=$(realpath "${2:-$folder}")
finish() {
  if mountpoint -q "$folder/root"; then
    umount --recursive --lazy "$folder/root"
  fi
  if mountpoint -q "$folder/layers"; then
    umount "$folder/layers"
  fi
  rm -rf "$folder"
}
trap finish EXIT
fail() { echo "deb: $*" >&2; exit 1; }

# Stages all files and packs them. The scripts and the settings are those of assets/operations.
package() {
  local version=$1 stage=$folder/stage operations=$top/assets/operations unit
  rm -rf "$stage"
  mkdir -p "$stage/usr/share/zsh/vendor-completions" "$stage/usr/share/fish/vendor_completions.d"
  install -D -m 755 "$orderd" "$stage/usr/bin/orderd"
  for unit in orderd.service orderd-verify.service orderd-verify.timer; do
    install -D -m 644 "$operations/$unit" "$stage/usr/lib/systemd/system/$unit"
    sed -i 's|/usr/local/bin/orderd|/usr/bin/orderd|' "$stage/usr/lib/systemd/system/$unit"
  done
  install -D -m 644 "$operations/orderd.toml" "$stage/etc/orderd/orderd.toml"
  install -D -m 644 -t "$stage/usr/share/doc/orderd/examples" "$operations"/{alerts.yml,grafana.json,nginx.conf,haproxy.cfg,Caddyfile}
  install -m 644 "$top/LICENSE" "$stage/usr/share/doc/orderd/copyright"
  "$orderd" man --out "$stage/usr/share/man/man1"
  gzip --best --no-name "$stage"/usr/share/man/man1/*.1
  install -D -m 644 /dev/stdin "$stage/usr/share/bash-completion/completions/orderd" < <("$orderd" completions bash)
  "$orderd" completions zsh >"$stage/usr/share/zsh/vendor-completions/_orderd"
  "$orderd" completions fish >"$stage/usr/share/fish/vendor_completions.d/orderd.fish"
  install -D -m 755 -t "$stage/DEBIAN" "$operations"/debian/{postinst,prerm,postrm}
  echo /etc/orderd/orderd.toml >"$stage/DEBIAN/conffiles"
  (cd "$stage" && find usr -type f -print0 | xargs -0 md5sum) >"$stage/DEBIAN/md5sums"
  sed -e "s/^Version:.*/Version: $version/" -e "s/^Architecture:.*/Architecture: $(dpkg --print-architecture)/" \
    -e "s/^Installed-Size:.*/Installed-Size: $(du -sk "$stage" | cut -f1)/" "$operations/debian/control" >"$stage/DEBIAN/control"
  find "$stage" -type d -exec chmod 755 {} +
  dpkg-deb --root-owner-group --build "$stage" "$to/orderd_$version.deb" >/dev/null
}

# A copy of this system: what is written in it goes to memory and is lost at the end.
copy_of_this_system() {
  mkdir "$folder/root" "$folder/layers"
  mount -t tmpfs none "$folder/layers" 2>/dev/null || return 1
  mkdir "$folder/layers/upper" "$folder/layers/work"
  mount -t overlay none -o "lowerdir=/,upperdir=$folder/layers/upper,workdir=$folder/layers/work" "$folder/root" 2>/dev/null || return 1
  mount -t proc none "$folder/root/proc"
  mount --rbind /dev "$folder/root/dev"
}

inside=(chroot "$folder/root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive)

# The server as its unit runs it: as its user, in its folder, without an argument that names the database.
serves() {
  local address=$1 process said
  "${inside[@]}" setpriv --reuid=orderd --regid=orderd --clear-groups sh -c \
    "cd /var/lib/orderd && exec orderd serve --listen $address" >"$folder/printed" 2>"$folder/log" &
  process=$!
  for _ in $(seq 100); do
    grep -q '^listening on ' "$folder/printed" && break
    sleep 0.1
  done
  said=$("${inside[@]}" orderd healthcheck --listen "$address") || fail "the server is not ready: $(cat "$folder/log")"
  [ "$said" = "http://$address/readyz: ready" ] || fail "healthcheck printed: $said"
  kill "$process"
  wait "$process" || fail "the server exited with $?"
}

install_upgrade_remove() {
  local version=$1 data=$folder/root/var/lib/orderd address
  address=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print("127.0.0.1:%d" % s.getsockname()[1])')
  cp "$to/orderd_$version.deb" "$to/orderd_$version+next.deb" "$folder/root/tmp/"
  "${inside[@]}" dpkg --install "/tmp/orderd_$version.deb" >/dev/null
  "${inside[@]}" dpkg --verify orderd || fail 'dpkg --verify found differences'
  [ "$(stat -c '%a %U' "$folder/root/usr/bin/orderd")" = '755 root' ] || fail 'the binary has other permissions'
  [ "$("${inside[@]}" stat -c '%a %U %G' /var/lib/orderd)" = '700 orderd orderd' ] || fail 'other users can enter the folder of the data'
  "${inside[@]}" orderd config show | grep '^db.path = "/var/lib/orderd/orderd.db"  # /etc/orderd/orderd.toml$' >/dev/null || fail 'the settings are not found'
  serves "$address"
  [ -s "$data/orderd.db" ] || fail 'the database is not where the settings say'

  # An upgrade keeps the settings of the administrator, and the data.
  printf '[log]\nlevel = "warn"\n' >>"$folder/root/etc/orderd/orderd.toml"
  "${inside[@]}" dpkg --install "/tmp/orderd_$version+next.deb" >/dev/null
  "${inside[@]}" orderd config show | grep '^log.level = "warn"  # /etc/orderd/orderd.toml$' >/dev/null || fail 'an upgrade lost the settings'
  serves "$address"

  "${inside[@]}" dpkg --remove orderd >/dev/null
  [ ! -e "$folder/root/usr/bin/orderd" ] || fail 'the binary was left'
  [ -e "$folder/root/etc/orderd/orderd.toml" ] || fail 'removing deletes the settings'
  "${inside[@]}" dpkg --purge orderd >/dev/null 2>&1
  [ ! -e "$folder/root/etc/orderd/orderd.toml" ] || fail 'purging leaves the settings'
  [ -s "$data/orderd.db" ] || fail 'orders were deleted with the package'
}

command -v dpkg-deb >/dev/null || { echo 'deb: skipped: dpkg-deb is not installed'; exit 0; }
version=$("$orderd" --version | cut -d ' ' -f 2)
package "$version"
if copy_of_this_system; then
  package "$version+next"
  install_upgrade_remove "$version"
  rm "$to/orderd_$version+next.deb"
  echo 'deb: installed, started, upgraded, removed and purged; the orders are still there'
else
  echo 'deb: made, and not installed: this system cannot be copied here (no overlay)'
fi
