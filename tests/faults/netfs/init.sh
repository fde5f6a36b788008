#!/bin/bash
# The first process of a Linux that runs as a process (user-mode-linux) over this machine's files:
# mounts the network filesystems a home may have, each from a server of its own on loopback, and runs
# the service on each. WORK, PYTHON and REPO come by the kernel's command line.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
exec >"$WORK/init.log" 2>&1
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/shm && mount -t tmpfs shm /dev/shm
mkdir -p /lib/modules
for own in /run /mnt /var/lib/nfs /lib/modules; do mount -t tmpfs tmpfs $own; done
ln -s /usr/lib/uml/modules/* /lib/modules/ # here the kernel itself looks for what it needs
ip link set lo up
for module in sunrpc nfs nfsv3 nfsv4 nfsd cifs 9p 9pnet_fd fuse loop ext4; do
  modprobe $module
done

mkdir -p /mnt/{exported,nfs4,nfs3,cifs,9p,sshfs,smb} /run/{rpcbind,nfs,samba}
mkdir -p /var/lib/nfs/{sm,sm.bak,v4recovery,rpc_pipefs}
touch /var/lib/nfs/{etab,rmtab,xtab,state}
truncate -s 300M /mnt/image && mkfs.ext4 -q -F /mnt/image && mount -o loop /mnt/image /mnt/exported
mkdir -m 1777 /mnt/exported/{nfs4,nfs3,cifs,9p,sshfs}

rpcbind -w
rpc.statd --no-notify
mount -t nfsd nfsd /proc/fs/nfsd
exportfs -o rw,no_root_squash,fsid=0,insecure,no_subtree_check 127.0.0.1:/mnt/exported
rpc.nfsd 4
rpc.mountd
cat >/mnt/smb/smb.conf <<'C'
[global]
interfaces = 127.0.0.1
bind interfaces only = yes
private dir = /mnt/smb
lock dir = /mnt/smb
state dir = /mnt/smb
cache dir = /mnt/smb
pid directory = /mnt/smb
ncalrpc dir = /mnt/smb/rpc
log file = /mnt/smb/log
map to guest = Bad User
guest account = root
disable netbios = yes
smb ports = 445
[share]
path = /mnt/exported/cifs
guest ok = yes
read only = no
force user = root
C
smbd -s /mnt/smb/smb.conf -D
diod -n -e /mnt/exported -l 127.0.0.1:5640 -S &
printf '#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n' >/mnt/sftp && chmod +x /mnt/sftp # no sshd

for try in 1 2 3 4 5; do
  sleep 1
  mountpoint -q /mnt/nfs4 || mount -t nfs4 -o vers=4.2 127.0.0.1:/ /mnt/nfs4
  mountpoint -q /mnt/nfs3 || mount -t nfs -o vers=3,proto=tcp 127.0.0.1:/mnt/exported /mnt/nfs3
  mountpoint -q /mnt/cifs || mount -t cifs -o guest,vers=3.1.1 //127.0.0.1/share /mnt/cifs
  mountpoint -q /mnt/9p || mount -t 9p -o \
    trans=tcp,port=5640,version=9p2000.L,aname=/mnt/exported,uname=root,access=0 127.0.0.1 /mnt/9p
  mountpoint -q /mnt/sshfs || sshfs -o ssh_command=/mnt/sftp,sshfs_sync x:/mnt/exported/sshfs /mnt/sshfs
done
grep /mnt/ /proc/mounts
cat /mnt/smb/log
dmesg | tail -n 20

cd "$REPO" || exit
for folder in /mnt/nfs4/nfs4 /mnt/nfs3/nfs3 /mnt/cifs /mnt/9p/9p /mnt/sshfs; do
  "$PYTHON" -B -m tests.faults.netfs.on_volume "$folder" "$WORK/results"
done
sync
echo o >/proc/sysrq-trigger
sleep 5
