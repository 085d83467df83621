package machine

import (
	"encoding/binary"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// layout reads the files of a recorded Linux system.
func layout(t *testing.T, name string) fstest.MapFS {
	t.Helper()
	a, err := txtar.ParseFile("testdata/" + name + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	root := fstest.MapFS{}
	for _, f := range a.Files {
		root[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return root
}

// sysctl answers from the output of macOS's sysctl -a: numbers in four or eight bytes, as they fit.
func sysctl(t *testing.T, name string) Sysctl {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]byte{}
	for line := range strings.Lines(string(b)) {
		key, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, err := strconv.ParseInt(text, 10, 64)
		switch {
		case key == "vm.loadavg":
			v := make([]byte, 24)
			load, err := strconv.ParseFloat(strings.Fields(text)[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			binary.LittleEndian.PutUint32(v, uint32(load*2048))
			binary.LittleEndian.PutUint64(v[16:], 2048)
			values[key] = v
		case err != nil:
			values[key] = append([]byte(text), 0)
		case n > 1<<31-1 || strings.HasSuffix(key, "size"):
			values[key] = binary.LittleEndian.AppendUint64(nil, uint64(n))
		default:
			values[key] = binary.LittleEndian.AppendUint32(nil, uint32(n))
		}
	}
	return func(name string) ([]byte, bool) { v, ok := values[name]; return v, ok }
}

func upTo(from, to int) []int {
	var out []int
	for i := from; i <= to; i++ {
		out = append(out, i)
	}
	return out
}

// caches are levels with their bytes and the cores that share them.
func caches(levels ...[3]int64) []Cache {
	var out []Cache
	for _, l := range levels {
		out = append(out, Cache{Level: int(l[0]), Bytes: l[1], Cores: int(l[2])})
	}
	return out
}

// usual are caches that the system did not tell.
func usual(levels ...[3]int64) []Cache {
	out := caches(levels...)
	for i := range out {
		out[i].Usual = true
	}
	return out
}

const kib, mib = 1 << 10, 1 << 20

var a76Features = []string{"asimd", "asimdhp", "asimddp"}

func TestMachines(t *testing.T) {
	for _, c := range []struct {
		name    string
		allowed []int
		want    Machine
	}{
		{"raspberry-pi-5", nil, Machine{CPU: "Cortex-A76, Raspberry Pi 5 Model B Rev 1.0", Vendor: "Arm", MemoryB: 8255648 * kib, Features: a76Features,
			Governor: "ondemand", Load1: 0.05, Kinds: []Kind{
				{"Cortex-A76", upTo(0, 3), 4, 2.4e9, caches([3]int64{1, 64 * kib, 1}, [3]int64{2, 512 * kib, 1}, [3]int64{3, 2 * mib, 4})}}}},
		{"rk3588", nil, Machine{CPU: "Cortex-A76, Radxa ROCK 5B", Vendor: "Arm", MemoryB: 16165888 * kib, Features: a76Features,
			Governor: "performance", Load1: 0.4, Kinds: []Kind{
				{"Cortex-A76", upTo(4, 7), 4, 2.4e9, caches([3]int64{1, 64 * kib, 1}, [3]int64{2, 512 * kib, 1}, [3]int64{3, 3 * mib, 8})},
				{"Cortex-A55", upTo(0, 3), 4, 1.8e9, caches([3]int64{1, 32 * kib, 1}, [3]int64{2, 128 * kib, 1}, [3]int64{3, 3 * mib, 8})}}}},
		{"rk3588", []int{0, 1, 6}, Machine{CPU: "Cortex-A76, Radxa ROCK 5B", Vendor: "Arm", MemoryB: 16165888 * kib, Features: a76Features,
			Governor: "performance", Load1: 0.4, Kinds: []Kind{
				{"Cortex-A76", []int{6}, 1, 2.304e9, caches([3]int64{1, 64 * kib, 1}, [3]int64{2, 512 * kib, 1}, [3]int64{3, 3 * mib, 8})},
				{"Cortex-A55", []int{0, 1}, 2, 1.8e9, caches([3]int64{1, 32 * kib, 1}, [3]int64{2, 128 * kib, 1}, [3]int64{3, 3 * mib, 8})}}}},
		{"graviton3", nil, Machine{CPU: "Neoverse-V1, Amazon EC2 c7g.xlarge", Vendor: "Arm", MemoryB: 7940528 * kib,
			Features: []string{"asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "svei8mm", "svebf16"}, Kinds: []Kind{
				{"Neoverse-V1", upTo(0, 3), 4, 0, caches([3]int64{1, 64 * kib, 1}, [3]int64{2, mib, 1}, [3]int64{3, 32 * mib, 4})}}}},
		{"arm64-vm", nil, Machine{CPU: "Neoverse-N1", Vendor: "Arm", MemoryB: 8130000 * kib, Features: a76Features, Load1: -1,
			Kinds: []Kind{{"Neoverse-N1", upTo(0, 3), 4, 0, usual([3]int64{1, 64 * kib, 1}, [3]int64{2, mib, 1})}},
			Notes: []string{"L1 of the Neoverse-N1 is taken to be 64 KiB, as the core is usually built: the system does not say",
				"L2 of the Neoverse-N1 is taken to be 1024 KiB, as the core is usually built: the system does not say",
				"whether there is a third level of caches is not known",
				"the container may use 1.5 of its 4 processors"}}},
		{"core-i7-12700k", nil, Machine{CPU: "12th Gen Intel(R) Core(TM) i7-12700K", Vendor: "GenuineIntel", MemoryB: 32633484 * kib,
			Features: []string{"sse4_1", "avx", "avx2", "fma", "f16c", "avx_vnni"}, Governor: "powersave", Load1: 0.8, Kinds: []Kind{
				{"performance", []int{0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15}, 8, 5e9,
					caches([3]int64{1, 48 * kib, 1}, [3]int64{2, 1280 * kib, 1}, [3]int64{3, 25 * mib, 12})},
				{"efficiency", upTo(16, 19), 4, 3.8e9, caches([3]int64{1, 32 * kib, 1}, [3]int64{2, 2 * mib, 4}, [3]int64{3, 25 * mib, 12})}}}},
		{"xeon-vm", nil, Machine{CPU: "Intel(R) Xeon(R) Processor", Vendor: "GenuineIntel", MemoryB: 8127640 * kib, Load1: 2.1,
			Features: []string{"sse4_1", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni",
				"avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"},
			Kinds: []Kind{{"", []int{0, 1}, 2, 0, caches([3]int64{1, 48 * kib, 1}, [3]int64{2, 2 * mib, 1}, [3]int64{3, 300 * mib, 2})}}}},
		{"sandbox", nil, Machine{CPU: "AMD EPYC 7B12", Vendor: "AuthenticAMD", MemoryB: 4000000 * kib, Load1: -1,
			Features: []string{"sse4_1", "avx", "avx2", "fma", "f16c"},
			Kinds:    []Kind{{"", []int{0, 1}, 2, 0, caches([3]int64{2, 512 * kib, 1})}},
			Notes:    []string{"only level 2 of the caches is known, from /proc/cpuinfo"}}},
	} {
		got := FromLinux(layout(t, c.name), c.allowed)
		if d := cmp.Diff(&c.want, got); d != "" {
			t.Errorf("%s %v: (-want +got)\n%s", c.name, c.allowed, d)
		}
	}
}

func TestSysctl(t *testing.T) {
	placed := "threads are not kept on processors: macOS has no way to"
	for name, want := range map[string]Machine{
		"apple-m2": {CPU: "Apple M2", Vendor: "Apple", MemoryB: 16 << 30, Load1: 1.5, Features: []string{"asimd", "asimdhp", "asimddp", "i8mm", "bf16"},
			Kinds: []Kind{
				{"Performance", nil, 4, 0, caches([3]int64{1, 128 * kib, 1}, [3]int64{2, 16 * mib, 4})},
				{"Efficiency", nil, 4, 0, caches([3]int64{1, 64 * kib, 1}, [3]int64{2, 4 * mib, 4})}},
			Notes: []string{placed}},
		"macbook-2019": {CPU: "Intel(R) Core(TM) i9-9880H CPU @ 2.30GHz", Vendor: "GenuineIntel", MemoryB: 16 << 30, Load1: 2,
			Features: []string{"sse4_1", "avx", "avx2", "fma", "f16c"},
			Kinds:    []Kind{{"", nil, 8, 2.3e9, caches([3]int64{1, 32 * kib, 1}, [3]int64{2, 256 * kib, 1}, [3]int64{3, 16 * mib, 8})}},
			Notes:    []string{placed}},
	} {
		if d := cmp.Diff(&want, FromSysctl(sysctl(t, name))); d != "" {
			t.Errorf("%s: (-want +got)\n%s", name, d)
		}
	}
}

// TestPlace keeps threads on like cores as long as there are some, and says when there are not.
func TestPlace(t *testing.T) {
	for _, c := range []struct {
		name   string
		n      int
		want   []int
		unlike string
	}{
		{"rk3588", 4, []int{4, 5, 6, 7}, ""},
		{"rk3588", 6, []int{4, 5, 6, 7, 0, 1}, "6 threads on unlike cores: 4 Cortex-A76 at up to 2.4 GHz, 4 Cortex-A55 at up to 1.8 GHz"},
		{"core-i7-12700k", 8, []int{0, 2, 4, 6, 8, 10, 12, 14}, ""},
		{"core-i7-12700k", 13, []int{0, 2, 4, 6, 8, 10, 12, 14, 16, 17, 18, 19, 1},
			"13 threads on unlike cores: 8 performance at up to 5 GHz with 16 threads, 4 efficiency at up to 3.8 GHz"},
		{"xeon-vm", 2, []int{0, 1}, ""},
		{"xeon-vm", 3, nil, "3 threads on 2 cores"},
		{"xeon-vm", 0, nil, ""},
	} {
		m := FromLinux(layout(t, c.name), nil)
		if got := m.Place(c.n); !slices.Equal(got, c.want) {
			t.Errorf("%s, %d threads: got %v, want %v", c.name, c.n, got, c.want)
		}
		if got := m.Unlike(c.n); got != c.unlike {
			t.Errorf("%s, %d threads: got %q, want %q", c.name, c.n, got, c.unlike)
		}
	}
	if got := FromSysctl(sysctl(t, "apple-m2")).Place(2); got != nil {
		t.Errorf("macOS: got processors %v, want none", got)
	}
}

// TestPlaceOrder puts threads on a core each before siblings, and on fast cores first.
func TestPlaceOrder(t *testing.T) {
	const dir = "sys/devices/system/cpu/cpu"
	each := func(name string, values ...string) fstest.MapFS {
		root := fstest.MapFS{}
		for i, v := range values {
			root[dir+strconv.Itoa(i)+"/"+name] = &fstest.MapFile{Data: []byte(v + "\n")}
		}
		return root
	}
	pairs := each("topology/thread_siblings_list", "0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7")
	for _, c := range []struct {
		name    string
		root    fstest.MapFS
		allowed []int
		n       int
		want    []int
	}{
		{"a core each before siblings", pairs, upTo(0, 7), 5, []int{0, 1, 2, 3, 4}},
		{"siblings side by side", each("topology/thread_siblings_list", "0-1", "0-1", "2-3", "2-3"), upTo(0, 3), 3, []int{0, 2, 1}},
		{"the first of a pair is not allowed", pairs, []int{4, 5, 6}, 2, []int{4, 5}},
		{"fast cores first", each("cpu_capacity", "400", "400", "1024", "1024"), upTo(0, 3), 3, []int{2, 3, 0}},
		{"a system that tells nothing", fstest.MapFS{}, []int{1, 3}, 2, []int{1, 3}},
		{"too few", pairs, []int{0}, 2, nil},
		{"none asked for", pairs, []int{0}, 0, nil},
	} {
		if got := FromLinux(c.root, c.allowed).Place(c.n); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// TestKindsBySpeed tells cores apart that have no name: compact ones of the same make are slower, favoured ones are not
// another kind.
func TestKindsBySpeed(t *testing.T) {
	root := fstest.MapFS{"proc/cpuinfo": {Data: []byte("processor : 0\nprocessor : 1\nprocessor : 2\nprocessor : 3\n")}}
	for i, khz := range []string{"3500000", "4900000", "5100000", "3500000"} {
		root["sys/devices/system/cpu/cpu"+strconv.Itoa(i)+"/cpufreq/cpuinfo_max_freq"] = &fstest.MapFile{Data: []byte(khz + "\n")}
	}
	m := FromLinux(root, nil)
	if len(m.Kinds) != 2 || !slices.Equal(m.Kinds[0].CPUs, []int{1, 2}) || !slices.Equal(m.Kinds[1].CPUs, []int{0, 3}) {
		t.Errorf("got %s: %+v", m.Describe(), m.Kinds)
	}
}

// TestTolerance reads systems that tell nothing, or nonsense.
func TestTolerance(t *testing.T) {
	for name, root := range map[string]fstest.MapFS{
		"empty": {},
		"nonsense": {"proc/cpuinfo": {Data: []byte("processor: -1\nprocessor: x\nflags : avx2\n\x00\xff: \n")}, "proc/meminfo": {Data: []byte("MemTotal: 99999999999999999999 kB")},
			"sys/devices/system/cpu/online": {Data: []byte("9-3,x")}, "sys/devices/system/cpu/cpu0/cache/index0/level": {Data: []byte("-2")}},
		"large": {"sys/devices/system/cpu/online": {Data: []byte("0-65535999")}},
	} {
		m := FromLinux(root, nil)
		if len(m.Kinds) != 1 || m.Like().Cores != 1 || m.MemoryB != 0 || len(m.Features) != 0 || len(m.Notes) == 0 {
			t.Errorf("%s: got %+v", name, m)
		}
	}
	m := FromSysctl(func(string) ([]byte, bool) { return nil, false })
	if m.Like().Cores != 1 || len(m.Notes) == 0 {
		t.Errorf("sysctl: got %+v", m)
	}
}

// TestThis looks at the machine at hand.
func TestThis(t *testing.T) {
	m := This()
	if m.OS == "" || m.Processors() < 1 || m.Like().Cores < 1 {
		t.Errorf("got %+v", m)
	}
	for _, k := range m.Kinds {
		for i, c := range k.Caches {
			if c.Bytes <= 0 || c.Cores < 1 || i > 0 && c.Level <= k.Caches[i-1].Level {
				t.Errorf("caches %v", k.Caches)
			}
		}
	}
	t.Logf("%s: %s; %s", m.CPU, m.Describe(), strings.Join(m.Notes, "; "))
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{"32K": 32 << 10, "1M": 1 << 20, "2G": 2 << 30, "512": 512, "": 0, "-1K": 0, "x": 0, "9999999999999G": 0} {
		if got := parseSize(s); got != want {
			t.Errorf("%q: got %d, want %d", s, got, want)
		}
	}
}
