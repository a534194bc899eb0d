package bench

import (
	"math"
	"strings"
	"testing"

	"github.com/prometheus/procfs"

	"aifi-audit/store/pgprivate"
)

func TestLongestMount(t *testing.T) {
	mounts := []*procfs.MountInfo{
		{MountPoint: "/", FSType: "ext4"}, {MountPoint: "/tmp", FSType: "tmpfs"}, {MountPoint: "/tmp/a", FSType: "xfs"}, {MountPoint: "/dev", FSType: "devtmpfs"},
	}
	for dir, want := range map[string]string{"/tmp": "tmpfs", "/tmp/b": "tmpfs", "/tmp/a/b": "xfs", "/tmp/ab": "tmpfs", "/tmpfiles": "ext4", "/home/x": "ext4", "/": "ext4"} {
		if got := longestMount(mounts, dir); got != want {
			t.Errorf("%s lies on %s, not on %s", dir, got, want)
		}
	}
}

func TestNoDiskIsFilled(t *testing.T) {
	r := &run{postgres: &postgres{dir: t.TempDir(), private: new(pgprivate.Server)}}
	r.Events = []int{1000}
	if err := r.checkRoom(); err != nil {
		t.Error(err)
	}
	r.Events = []int{1000, math.MaxInt64 / bytesAnEvent / 2}
	if err := r.checkRoom(); err == nil || !strings.Contains(err.Error(), "--dir") {
		t.Errorf("a disk that is too small gives %v", err)
	}
}
