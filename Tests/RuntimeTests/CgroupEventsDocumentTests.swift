import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Runtime

/// The document of `events --stats`, of files as kernels write them.
@Suite("events document")
final class CgroupEventsDocumentTests {
    private let root = "/tmp/minirun-events-\(getpid())-\(UInt32.random(in: 0 ... .max))"

    deinit { try? Files.removeTree(root) }

    private func document(_ hierarchy: CgroupHierarchy, _ files: [String: String]) throws -> String {
        for (file, text) in files {
            try Files.makeDirectories(Files.parent(of: "\(root)/\(file)"))
            try Files.write("\(root)/\(file)", Array(text.utf8))
        }
        return try Cgroup(CgroupName("x"), in: hierarchy).eventsJSON(id: "ctr").text()
    }

    @Test func versionOne() throws {
        var mounts: [CgroupController: String] = [:]
        for controller in [CgroupController.cpu, .cpuacct, .cpuset, .memory, .blkio, .pids, .hugetlb] {
            mounts[controller] = "\(root)/\(controller.rawValue)"
        }
        let document = try document(
            CgroupHierarchy(mounts: mounts),
            [
                "cpuacct/x/cpuacct.usage": "4000000\n", "cpuacct/x/cpuacct.usage_percpu": "1000000 3000000 \n",
                "cpuacct/x/cpuacct.usage_all": "cpu user system\n0 10 20\n1 30 40\n",
                "cpuacct/x/cpuacct.stat": "user 3\nsystem 1\n",
                "cpu/x/cpu.stat": "nr_periods 5\nnr_throttled 2\nthrottled_time 700\n",
                "cpuset/x/cpuset.cpus": "0-1,3\n", "cpuset/x/cpuset.mems": "0\n",
                "cpuset/x/cpuset.cpu_exclusive": "0\n",
                "cpuset/x/cpuset.sched_load_balance": "1\n", "cpuset/x/cpuset.sched_relax_domain_level": "-1\n",
                "memory/x/memory.stat": "cache 11\nrss 12\ntotal_cache 13\n", "memory/x/memory.usage_in_bytes": "100\n",
                "memory/x/memory.max_usage_in_bytes": "200\n", "memory/x/memory.failcnt": "3\n",
                "memory/x/memory.limit_in_bytes": "9223372036854771712\n",
                "memory/x/memory.memsw.usage_in_bytes": "110\n",
                "memory/x/memory.memsw.limit_in_bytes": "400\n", "memory/x/memory.kmem.usage_in_bytes": "0\n",
                "pids/x/pids.current": "4\n", "pids/x/pids.max": "max\n",
                "blkio/x/blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\n8:0 Write 0\nTotal 4096\n",
                "blkio/x/blkio.throttle.io_serviced_recursive": "8:0 Read 1\nTotal 1\n",
                "hugetlb/x/hugetlb.2MB.rsvd.usage_in_bytes": "2097152\n", "hugetlb/x/hugetlb.2MB.usage_in_bytes": "1\n",
                "hugetlb/x/hugetlb.2MB.rsvd.max_usage_in_bytes": "4194304\n",
                "hugetlb/x/hugetlb.2MB.rsvd.failcnt": "0\n",
                "hugetlb/x/hugetlb.1GB.usage_in_bytes": "0\n", "hugetlb/x/hugetlb.1GB.failcnt": "2\n",
            ]
        )
        #expect(
            document == #"{"type":"stats","id":"ctr","data":{"#
                + #""cpu":{"usage":{"total":4000000,"percpu":[1000000,3000000],"percpu_kernel":[20,40],"#
                + #""percpu_user":[10,30],"kernel":10000000,"user":30000000},"#
                + #""throttling":{"periods":5,"throttledPeriods":2,"throttledTime":700}},"#
                + #""cpuset":{"cpus":[0,1,3],"cpu_exclusive":0,"mems":[0],"mem_hardwall":0,"mem_exclusive":0,"#
                + #""memory_migrate":0,"memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,"#
                + #""sched_load_balance":1,"sched_relax_domain_level":-1},"#
                + #""memory":{"cache":11,"usage":{"limit":9223372036854771712,"usage":100,"max":200,"failcnt":3},"#
                + #""swap":{"limit":400,"usage":110,"failcnt":0},"raw":{"cache":11,"rss":12,"total_cache":13}},"#
                + #""pids":{"current":4},"#
                + #""blkio":{"ioServiceBytesRecursive":[{"major":8,"op":"Read","value":4096},{"major":8,"op":"Write"}],"#
                + #""ioServicedRecursive":[{"major":8,"op":"Read","value":1}]},"#
                + #""hugetlb":{"1GB":{"failcnt":2},"2MB":{"usage":2097152,"max":4194304,"failcnt":0}},"#
                + #""intel_rdt":{},"network_interfaces":null}}"#
        )
    }

    @Test func versionTwo() throws {
        let pressure =
            "some avg10=1.50 avg60=0.00 avg300=0.12 total=17\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
        let document = try document(
            CgroupHierarchy(unified: CgroupHierarchy.Unified(directory: root)),
            [
                "x/cpu.stat":
                    "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_periods 1\nnr_throttled 0\nthrottled_usec 4\n",
                "x/cpu.pressure": pressure, "x/memory.current": "100\n", "x/memory.max": "max\n",
                "x/memory.peak": "150\n",
                "x/memory.stat": "anon 5\nfile 6\nnegative -1\n", "x/memory.swap.current": "7\n",
                "x/memory.swap.max": "50\n", "x/pids.current": "2\n", "x/pids.max": "9\n",
                "x/io.stat": "254:0 rbytes=4096 wbytes=0 rios=1 wios=2 dbytes=0 dios=0\n253:1 \n",
                "x/hugetlb.2MB.current": "0\n", "x/hugetlb.2MB.rsvd.current": "2097152\n",
                "x/hugetlb.2MB.events": "max 3\n",
            ]
        )
        #expect(
            document == #"{"type":"stats","id":"ctr","data":{"#
                + #""cpu":{"usage":{"total":5000000,"kernel":2000000,"user":3000000},"#
                + #""throttling":{"periods":1,"throttledTime":4000},"#
                + #""psi":{"some":{"avg10":1.5,"avg60":0,"avg300":0.12,"total":17}}},"#
                + #""cpuset":{"cpu_exclusive":0,"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,"#
                + #""memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":0,"#
                + #""sched_relax_domain_level":0},"#
                + #""memory":{"cache":6,"usage":{"limit":18446744073709551615,"usage":100,"max":150,"failcnt":0},"#
                + #""swap":{"limit":18446744073709551615,"usage":107,"failcnt":0},"#
                + #""raw":{"anon":5,"file":6,"negative":0}},"#
                + #""pids":{"current":2,"limit":9},"#
                + #""blkio":{"ioServiceBytesRecursive":[{"major":254,"op":"Read","value":4096},{"major":254,"op":"Write"}],"#
                + #""ioServicedRecursive":[{"major":254,"op":"Read","value":1},{"major":254,"op":"Write","value":2}]},"#
                + #""hugetlb":{"2MB":{"usage":2097152,"failcnt":3}},"intel_rdt":{},"network_interfaces":null}}"#
        )
    }

    @Test func withoutControllers() throws {
        let document = try document(
            CgroupHierarchy(unified: CgroupHierarchy.Unified(directory: root)),
            ["x/cgroup.procs": "5\n6\n"]
        )
        #expect(document.contains(#""cpu":{},"#))
        #expect(document.contains(#""memory":{},"pids":{"current":2},"blkio":{},"hugetlb":{}"#))
    }
}
