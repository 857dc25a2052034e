#!/bin/sh
# Makes a Kubernetes node out of the namespaces it is started in, and stays as the node's process 1.
# It begins in the network namespace of the node and in new mount, UTS, IPC and PID namespaces (node.py), and runs
# itself a second time once it has a control group namespace too.
#
#   node-boot.sh enter|boot NAME FOLDER TREE PROGRAMS
#     FOLDER    what the node keeps: root/ (its changes to TREE), var/ (all of /var)
#     TREE      a Debian root file system, shared by all nodes and never changed
#     PROGRAMS  kubelet, containerd and friends
set -eu
stage=$1 name=$2 folder=$3 tree=$4 programs=$5

if [ "$stage" = enter ]; then
    # Processes of a node live in the control group lab/NAME of every hierarchy (v1) or of the one there is (v2).
    for group in /sys/fs/cgroup/*/"lab/$name" /sys/fs/cgroup/"lab/$name"; do
        [ ! -d "$group" ] || echo 0 > "$group/cgroup.procs"
    done
    exec unshare --cgroup /bin/sh "$0" boot "$name" "$folder" "$tree" "$programs"
fi

hostname "$name"

# The node's root: the Debian tree below, its own changes on top.
mount --make-rprivate /
root=$folder/mount
mount -t overlay "$name" -o "lowerdir=$tree,upperdir=$folder/root,workdir=$folder/work" "$root"
mount --bind "$folder/var" "$root/var" # a plain file system: containerd cannot stack an overlay on an overlay
mount --bind "$programs" "$root/usr/local/bin"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"

# Control groups as the node sees them: its own group is the root.
groups=$root/sys/fs/cgroup
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 "$groups"
    # v2 gives controllers to children only of a group that holds no process itself.
    mkdir -p "$groups/init"
    echo 0 > "$groups/init/cgroup.procs"
    sed 's/[a-z]*/+&/g' "$groups/cgroup.controllers" > "$groups/cgroup.subtree_control"
else
    mount -t tmpfs tmpfs "$groups"
    while IFS=: read -r _ controllers _; do
        case $controllers in
            '') ;; # the v2 hierarchy beside the others controls nothing
            name=systemd) # nobody's, but the kubelet will not start without it
                mkdir "$groups/systemd"
                mount -t cgroup -o none,name=systemd cgroup "$groups/systemd"
                ;;
            *)
                mkdir "$groups/$controllers"
                mount -t cgroup -o "$controllers" cgroup "$groups/$controllers"
                for one in $(echo "$controllers" | tr , ' '); do
                    [ -e "$groups/$one" ] || ln -s "$controllers" "$groups/$one"
                done
                ;;
        esac
    done < /proc/self/cgroup
fi

mkdir -p "$root/old"
cd "$root"
pivot_root . old
umount --lazy /old
mount --make-rshared / # the kubelet passes mounts on to containers

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
echo 1 > /proc/sys/net/ipv4/ip_forward
[ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
mkdir -p /var/log/pods /var/log/containers

# What an init system would do: keep two programs running.
while :; do
    containerd --config /etc/containerd/config.toml >> /var/log/containerd.log 2>&1 || sleep 1
done &
while :; do
    if [ -e /var/lib/kubelet/config.yaml ]; then # kubeadm has been here
        KUBELET_KUBEADM_ARGS=
        [ ! -e /var/lib/kubelet/kubeadm-flags.env ] || . /var/lib/kubelet/kubeadm-flags.env
        # shellcheck disable=SC2086 # several words on purpose
        kubelet --config=/var/lib/kubelet/config.yaml --kubeconfig=/etc/kubernetes/kubelet.conf \
            --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \
            $KUBELET_KUBEADM_ARGS >> /var/log/kubelet.log 2>&1 || true
    fi
    sleep 0.5
done &
wait
