"""A real Kubernetes cluster on one Linux machine, without a container engine, a registry or a virtual machine.

Modules, from the ground up: `topology` (who has which address), `home` (folders), `steps` (progress and errors),
`programs` (Go builds), `rootfs` (Debian trees), `images` and `store` (what containerd is given instead of a registry),
`network`, `cgroups` and `node` (what a node is made of), `kubernetes` and `addons` (what runs on it), `relay`
(the way in from loopback), `cluster` (up and down), `cli`.
"""
