#!/bin/sh
# The namespace machine as a shell script with util-linux: what the benchmark measures the real one against.
# usage: prototype.sh CGROUP NOTIFY_SOCKET
set -eu
export CGROUP="$1" NOTIFY="$2"
echo $$ >"$CGROUP/cgroup.procs"
# shellcheck disable=SC2016 # the inner shell expands, in the new namespaces
exec unshare --mount --pid --fork --kill-child --net --uts --ipc --cgroup --propagation private sh -euc '
  root=/mnt
  mount -t tmpfs -o mode=0755 tmpfs $root
  mkdir -p $root/usr $root/etc/systemd/system $root/var/log $root/root $root/proc $root/sys $root/dev $root/run $root/tmp
  mount --rbind /usr $root/usr
  mount -o remount,bind,ro $root/usr
  for link in bin sbin lib lib64; do ln -s usr/$link $root/$link; done
  mount -t proc proc $root/proc
  mount -t sysfs -o ro sysfs $root/sys
  mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
  mount -t tmpfs -o mode=0755 tmpfs $root/dev
  mount -t tmpfs -o mode=0755 tmpfs $root/run
  mount -t tmpfs tmpfs $root/tmp
  for device in null zero full random urandom tty; do
    touch $root/dev/$device
    mount --bind /dev/$device $root/dev/$device
  done
  mkdir -p $root/dev/pts $root/dev/shm $root/run/host $root/run/empty
  mount -t devpts -o newinstance,ptmxmode=0666 devpts $root/dev/pts
  touch $root/run/host/notify
  mount --bind "$NOTIFY" $root/run/host/notify
  for empty in system-generators system/sysinit.target.wants system/sockets.target.wants system/timers.target.wants \
    system/local-fs.target.wants system/multi-user.target.wants system/getty.target.wants; do
    mount --bind $root/run/empty $root/usr/lib/systemd/$empty
  done
  tr -d - </proc/sys/kernel/random/uuid >$root/etc/machine-id
  ln -s ../usr/lib/os-release $root/etc/os-release
  printf "root:x:0:0:root:/root:/bin/sh\n" >$root/etc/passwd
  printf "root:x:0:\n" >$root/etc/group
  printf "[Unit]\nRequires=basic.target systemd-journald.service\nAfter=basic.target systemd-journald.service\n" \
    >$root/etc/systemd/system/bench.target
  cd $root
  pivot_root . mnt 2>/dev/null || { mkdir -p mnt; pivot_root . mnt; }
  umount -l /mnt
  exec env -i container=bench NOTIFY_SOCKET=/run/host/notify PATH=/usr/sbin:/usr/bin \
    /usr/lib/systemd/systemd systemd.unit=bench.target systemd.show_status=no </dev/null >/dev/null 2>&1
'
