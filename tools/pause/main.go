// Command pause is the sandbox container of a pod: it holds the pod's namespaces open and does nothing else.
//
// It is the first process of the pod's PID namespace when a pod shares that namespace, so it must do what every
// first process owes its children: collect the exit status of the orphans handed to it, or they stay zombies.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if pid := os.Getpid(); pid != 1 {
		// Outside a sandbox nothing is handed to it; say so and go on, as the original does.
		fmt.Fprintf(os.Stderr, "pause: process id is %d, not 1: orphans will not be collected here\n", pid)
	}

	// Signals of one kind merge while they wait, so one slot per kind is enough: reap collects all there are.
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)

	// A child may have ended before Notify was in force.
	reap()
	for received := range signals {
		if received != syscall.SIGCHLD {
			// The kubelet asked for the pod's end. The kernel ends whatever is left in the namespace.
			fmt.Fprintf(os.Stderr, "pause: %s, shutting down\n", received)
			return
		}
		reap()
	}
}

// reap collects every child that has ended and does not wait for the others.
func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid == 0 {
			// No children (ECHILD), or none that has ended.
			return
		}
	}
}
