import OCI
import Testing

@testable import Runtime

@Suite("Capabilities") struct SeccompCapabilityTests {
    static func set(_ names: String...) throws -> CapabilitySet { try CapabilitySet(names: names) }

    static func error(add: [String] = [], drop: [String] = [], available: CapabilitySet = .all) -> String? {
        do {
            _ = try CapabilitySet.adjusted(add: add, drop: drop, available: available)
            return nil
        } catch { return error.message }
    }

    @Test("names, with and without prefix, in any case") func names() throws {
        #expect(try CapabilitySet(name: "CAP_CHOWN").rawValue == 1)
        #expect(try CapabilitySet(name: "sys_admin").numbers == [21])
        #expect(try CapabilitySet(name: "Cap_Bpf").names == ["CAP_BPF"])
        #expect(try Self.set("NET_RAW", "CHOWN").names == ["CAP_CHOWN", "CAP_NET_RAW"])
        #expect(CapabilitySet.all.names.count >= 41)
        #expect(CapabilitySet.all.contains(named: "CAP_CHECKPOINT_RESTORE"))
        #expect(!CapabilitySet.all.contains(named: "CAP_FOO"))
    }

    @Test("docker's default has fourteen, and none that rules the host") func defaults() throws {
        #expect(CapabilitySet.dockerDefault.numbers.count == 14)
        #expect(CapabilitySet.dockerDefault.rawValue == 0xA804_25FB, "what a docker container's CapBnd shows")
        #expect(CapabilitySet.dockerDefault.isDisjoint(with: try Self.set("SYS_ADMIN", "SYS_MODULE", "NET_ADMIN")))
    }

    @Test("no change gives the default set; ALL and names as docker mixes them") func adjusted() throws {
        let basis = CapabilitySet.dockerDefault
        #expect(try CapabilitySet.adjusted(add: [], drop: []) == basis)
        #expect(try CapabilitySet.adjusted(add: ["net_admin"], drop: []) == basis.union(Self.set("NET_ADMIN")))
        #expect(try CapabilitySet.adjusted(add: [], drop: ["CAP_CHOWN"]) == basis.subtracting(Self.set("CHOWN")))
        #expect(try CapabilitySet.adjusted(add: [], drop: ["all"]) == [])
        #expect(try CapabilitySet.adjusted(add: ["CHOWN"], drop: ["ALL"]) == Self.set("CHOWN"))
        #expect(try CapabilitySet.adjusted(add: ["ALL"], drop: []) == .all)
        #expect(
            try CapabilitySet.adjusted(add: ["ALL"], drop: ["CHOWN"])
                == CapabilitySet.all.subtracting(Self.set("CHOWN"))
        )
        #expect(try CapabilitySet.adjusted(add: ["ALL"], drop: ["ALL"]) == .all)
        #expect(try CapabilitySet.adjusted(add: ["CHOWN"], drop: ["CHOWN"]) == basis, "drops come first")
    }

    @Test("unknown and unavailable names") func errors() throws {
        #expect(Self.error(add: ["foo"]) == #"unknown capability: "CAP_FOO""#)
        #expect(Self.error(drop: ["CAP_ALL"]) == #"unknown capability: "CAP_ALL""#)
        #expect(Self.error(add: ["21"]) == #"unknown capability: "CAP_21""#)
        #expect(Self.error(add: ["CHOWN "]) == #"unknown capability: "CAP_CHOWN ""#)
        #expect(
            Self.error(add: ["SYS_ADMIN"], available: .dockerDefault)
                == #"capability not supported by your kernel or not available in the current environment: "CAP_SYS_ADMIN""#
        )
    }
}
