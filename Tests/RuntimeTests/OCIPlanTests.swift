import OCI
import Testing

@testable import Runtime

/// The plans of a container that is created by one command and started by another.
@Suite struct OCIPlanTests {
    private static let map = [RuntimeSpec.IDMapping(containerID: 0, hostID: 100_000, size: 65536)]

    private static func spec(_ change: (inout RuntimeSpec) -> Void = { _ in }) -> RuntimeSpec {
        LaunchPlanTests.spec { spec in
            spec.mounts = [
                .init("/proc", type: "proc", source: "proc"),
                .init("/data", type: "bind", source: "/host", options: ["rbind"]),
            ]
            change(&spec)
        }
    }

    private static func context(_ change: (inout LaunchContext) -> Void = { _ in }) -> LaunchContext {
        var context = LaunchContext(root: .folder("/bundle/rootfs"))
        context.cgroupIsReady = true
        context.startDescriptor = 0
        context.inheritsStreams = true
        context.findsHome = true
        context.findsProgram = true
        context.cgroupEntries = [.ownTask(file: "/cg/tasks")]
        change(&context)
        return context
    }

    private static func names(_ plan: LaunchPlan) -> [String] {
        plan.steps.map(\.name).filter { !["device", "link"].contains($0) }
    }

    /// The cgroup comes first, for the hooks; what needs privileges after `start` comes last.
    @Test func theStepsOfCreateAndStart() throws {
        let names = Self.names(try LaunchPlan(Self.spec(), in: Self.context()))
        #expect(
            names == [
                "clone", "newSession", "keyring", "enterCgroup", "unshare", "propagation", "rootFolder", "loopback",
                "fileSystem", "bind", "ownStreams", "sysctl", "readOnly", "mask", "barrier", "pivotRoot", "hostname",
                "workingFolder", "boundingSet", "ids", "home", "findProgram", "start", "capabilities", "execute",
            ]
        )
    }

    /// createContainer before the pivot, startContainer after all restrictions.
    @Test func hooksStandAtTheirPlaces() throws {
        let filter = SeccompFilter(program: [UInt8](repeating: 0, count: 8), flags: 0)
        let plan = try LaunchPlan(
            Self.spec { spec in
                spec.process.noNewPrivileges = true
                spec.hooks.createContainer = [.init(path: "/c")]
                spec.hooks.startContainer = [.init(path: "/s")]
            },
            in: Self.context {
                $0.seccomp = filter
                $0.hookStates = (Array("creating".utf8), Array("created".utf8))
            }
        )
        let names = Self.names(plan)
        #expect(Array(names.drop { $0 != "barrier" }.prefix(3)) == ["barrier", "hook", "pivotRoot"])
        #expect(Array(names.suffix(5)) == ["capabilities", "noNewPrivileges", "seccomp", "hook", "execute"])
        let hooks = plan.steps.compactMap { if case .hook(let hook) = $0 { hook } else { nil } }
        #expect(hooks.map { String(decoding: $0.state, as: UTF8.self) } == ["creating", "created"])
        // A hook without an environment has none: never the process's, which the image has chosen (CVE-2025-23266).
        #expect(hooks.map(\.environment) == [[], []])
    }

    /// What the container's root may not reach is opened before it exists.
    @Test func aUserNamespaceOpensItsSourcesBefore() throws {
        let spec = Self.spec { spec in
            spec.linux.namespaces.append((.user, nil))
            spec.linux.uidMappings = Self.map
            spec.linux.gidMappings = Self.map
        }
        let preparation = try LaunchPlan(preparing: spec, in: Self.context())
        #expect(preparation.steps.map(\.name) == ["openTree", "clone"])
        let names = Self.names(try LaunchPlan(spec, in: Self.context()))
        #expect(names.contains("attach"))
        #expect(try #require(names.firstIndex(of: "becomeRoot")) < #require(names.firstIndex(of: "fileSystem")))
        #expect(try #require(names.firstIndex(of: "enterCgroup")) < #require(names.firstIndex(of: "becomeRoot")))
        // No device can be made there: the host's are bound.
        #expect(!(try LaunchPlan(spec, in: Self.context())).steps.contains { $0.name == "device" })
    }

    @Test func namespacesByPathAreJoinedBeforeTheClone() throws {
        let spec = Self.spec { spec in
            spec.linux.namespaces = [(.mount, nil), (.pid, "/p"), (.network, "/n"), (.time, nil)]
            spec.linux.timeOffsets = ["boottime": .init(secs: 5, nanosecs: 6)]
        }
        let steps = try LaunchPlan(preparing: spec, in: Self.context()).steps
        #expect(
            steps == [
                .timeOffsets("boottime 5 6\n"), .hide, .join(.pid, descriptor: 0, name: "/p"),
                .join(.network, descriptor: 1, name: "/n"), .clone(.mount, cgroup: nil),
            ]
        )
        // A network that is not new has its loopback as its owner wants it.
        #expect(!(try LaunchPlan(spec, in: Self.context())).steps.contains(.loopback))
    }

    @Test func idMappedMountsCarryTheirMaps() throws {
        let spec = Self.spec { spec in
            var mount = RuntimeSpec.Mount("/m", type: "bind", source: "/s", options: ["bind", "ridmap"])
            mount.uidMappings = Self.map
            mount.gidMappings = Self.map
            spec.mounts = [mount]
        }
        let prepared = try LaunchPlan(preparing: spec, in: Self.context()).steps
        guard case .idMap(let map, 0) = prepared.first, prepared.count == 2 else {
            return #expect(Bool(false), "\(prepared)")
        }
        #expect(map.users == "0 100000 65536\n")
        // The source at its turn: it may lie in what is mounted before.
        let steps = try LaunchPlan(spec, in: Self.context()).steps
        #expect(steps.contains { if case .bind(let bind, 0) = $0 { bind.mapRecursive } else { false } }, "\(steps)")
    }

    /// The root of a user namespace may map no ids: the source is opened with the map, before the container is there.
    @Test func idMappedMountsOfAUserNamespaceAreOpenedBefore() throws {
        let spec = Self.spec { spec in
            var mount = RuntimeSpec.Mount("/m", type: "bind", source: "/s", options: ["bind", "idmap"])
            mount.uidMappings = Self.map
            mount.gidMappings = Self.map
            spec.mounts = [mount]
            spec.linux.namespaces.append((.user, nil))
            spec.linux.uidMappings = Self.map
            spec.linux.gidMappings = Self.map
        }
        let prepared = try LaunchPlan(preparing: spec, in: Self.context()).steps
        guard case .idMap(_, 0) = prepared[0], case .openTree(_, 0, let used) = prepared[1] else {
            return #expect(Bool(false), "\(prepared)")
        }
        #expect(used == 0)
        let steps = try LaunchPlan(spec, in: Self.context()).steps
        #expect(steps.contains { if case .attach(_, 0) = $0 { true } else { false } }, "\(steps)")
    }

    /// There a source that another mount would cover is no source, whichever way it lies in it.
    @Test(arguments: [
        ("/root/a", true), ("/root/a/b", true), ("/root/ab", false), ("/root/b", false), ("/rootless/a", false),
        ("/a", false),
    ])
    func sourcesInEarlierMounts(source: String, isRefused: Bool) throws {
        let spec = Self.spec { spec in
            var mount = RuntimeSpec.Mount("/m", type: "bind", source: source, options: ["bind", "idmap"])
            mount.uidMappings = Self.map
            mount.gidMappings = Self.map
            spec.mounts = [
                .init("/a", type: "tmpfs", source: "tmpfs"), mount, .init("/b", type: "tmpfs", source: "tmpfs"),
            ]
            spec.linux.namespaces.append((.user, nil))
            spec.linux.uidMappings = Self.map
            spec.linux.gidMappings = Self.map
        }
        let context = LaunchContext(root: .folder("/root"))
        if isRefused {
            #expect(throws: EngineError.self) { try LaunchPlan(preparing: spec, in: context) }
        } else {
            _ = try LaunchPlan(preparing: spec, in: context)
        }
    }

    @Test func rootsOfOtherKinds() throws {
        let moved = try LaunchPlan(Self.spec(), in: Self.context { $0.rootChange = .move })
        #expect(moved.steps.contains(.pivotRoot(.move)))
        let shared = try LaunchPlan(
            Self.spec { $0.linux.namespaces = [(.pid, nil)] },
            in: Self.context { $0.rootChange = .move }
        )
        #expect(shared.steps.contains(.pivotRoot(.change)))
        // A mount namespace that is the host's keeps its propagation.
        #expect(!shared.steps.contains { $0.name == "propagation" })
    }

    @Test func executingInAContainer() throws {
        let preparation = try LaunchPlan(
            joining: [.mount, .pid],
            of: "container c",
            cgroup: "/cg",
            initialAffinity: "0,2-3"
        )
        #expect(
            preparation.steps == [
                .affinity([0b1101, 0, 0, 0, 0, 0, 0, 0], list: "0,2-3"), .hide,
                .join([.mount, .pid], descriptor: 0, name: "container c"), .clone([], cgroup: "/cg"),
            ]
        )
        let plan = try LaunchPlan(
            executing: Self.spec(),
            in: Self.context { $0.startDescriptor = nil },
            cgroups: ["/v1/tasks"],
            inUserNamespace: false
        )
        #expect(
            plan.steps.map(\.name) == [
                "clone", "newSession", "keyring", "enterCgroup", "workingFolder", "boundingSet", "ids", "home",
                "findProgram", "capabilities", "execute",
            ]
        )
    }

    @Test func theEnvironmentHasEachNameOnce() throws {
        let plan = try LaunchPlan(
            Self.spec { $0.process.env = ["A=1", "B=2", "A=3", "HOME="] },
            in: Self.context { $0.preservedDescriptors = 2 }
        )
        #expect(
            plan.steps.last == .execute(arguments: ["prog", "a b"], environment: ["A=3", "B=2", "HOME="], keeps: 2)
        )
        #expect(plan.steps.contains(.home))
    }

    /// The mount comes writable, for the nodes, and read-only at the end.
    @Test func aReadOnlyDevGetsItsNodesFirst() throws {
        let steps = try LaunchPlan(
            Self.spec { $0.mounts = [.init("/dev", type: "tmpfs", source: "tmpfs", options: ["ro", "mode=755"])] },
            in: Self.context()
        ).steps
        guard case .fileSystem(let dev)? = steps.first(where: { $0.name == "fileSystem" }) else {
            return #expect(Bool(false), "\(steps)")
        }
        #expect(!dev.attributes.contains(.readOnly))
        let last = try #require(steps.firstIndex { $0.name == "remount" })
        #expect(try #require(steps.lastIndex { $0.name == "device" }) < last)
    }

    @Test func schedulingIsEncodedAsTheKernelHasIt() throws {
        var process = RuntimeSpec.Process(args: ["p"])
        process.scheduler = .init(policy: .deadline)
        process.scheduler?.runtime = 1
        process.ioPriority = .init(class: .bestEffort, priority: 4)
        let spec = Self.spec { spec in
            spec.process.scheduler = process.scheduler
            spec.process.ioPriority = process.ioPriority
            spec.linux.memoryPolicy = .init(mode: "MPOL_INTERLEAVE", nodes: "0,1", flags: ["MPOL_F_STATIC_NODES"])
        }
        let steps = try LaunchPlan(spec, in: Self.context()).steps
        guard case .scheduler(let attributes, _)? = steps.first(where: { $0.name == "scheduler" }) else {
            return #expect(Bool(false), "\(steps)")
        }
        #expect(attributes.count == 48 && attributes[0] == 48 && attributes[4] == 6 && attributes[24] == 1)
        #expect(steps.contains(.ioPriority(2 << 13 | 4, name: "IOPRIO_CLASS_BE 4")))
        #expect(steps.contains(.memoryPolicy(3 | 1 << 15, nodes: [3, 0, 0, 0, 0, 0, 0, 0], name: "MPOL_INTERLEAVE")))
    }
}
