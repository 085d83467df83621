package machine

import "golang.org/x/sys/unix"

func host() *Machine {
	return FromSysctl(func(name string) ([]byte, bool) {
		b, err := unix.SysctlRaw(name)
		return b, err == nil
	})
}

// Pin does nothing: macOS does not let a program choose processors.
func Pin(int) (restore func()) { return func() {} }
