import OCI
import Testing

@testable import Runtime

/// What the shim has fixed room for: refused before it is asked, by name and with the limit.
@Suite struct LaunchPlanLimitTests {
    private static func plan(layers: Int) throws -> LaunchPlan {
        let layers = (0..<layers).map { "/l\($0)" }
        let root = LaunchContext.Root.overlay(layers: layers, upper: "/u", work: "/w", mountPoint: "/m", options: "")
        return try LaunchPlan(LaunchPlanTests.spec(), in: LaunchContext(root: root))
    }

    /// A container with that many id-mapped mounts after that many others.
    private static func spec(mapped: Int, after others: Int, inUserNamespace: Bool = true) -> RuntimeSpec {
        LaunchPlanTests.spec { spec in
            if inUserNamespace {
                spec.linux.namespaces.append((.user, nil))
                spec.linux.uidMappings = [.init(containerID: 0, hostID: 100_000, size: 65_536)]
                spec.linux.gidMappings = spec.linux.uidMappings
            }
            spec.mounts = (0..<others).map { .init("/t\($0)", type: "tmpfs", source: "tmpfs") }
            spec.mounts += (0..<mapped).map { number in
                var mount = RuntimeSpec.Mount("/m\(number)", type: "bind", source: "/s", options: ["bind", "idmap"])
                mount.uidMappings = [.init(containerID: 0, hostID: 100_000, size: 65_536)]
                mount.gidMappings = mount.uidMappings
                return mount
            }
        }
    }

    @Test(arguments: [(0, true), (1, true), (500, true), (501, false), (1000, false)])
    func layers(count: Int, isTaken: Bool) throws {
        let plan = try Self.plan(layers: count)
        if isTaken { _ = try plan.encoded() } else { #expect(throws: EngineError.self) { try plan.encoded() } }
    }

    @Test(arguments: [(32, true), (33, false), (65_536, false)])
    func descriptors(count: Int, isTaken: Bool) throws {
        let plan = try Self.plan(layers: 1)
        if isTaken {
            _ = try plan.encoded(descriptors: count)
        } else {
            #expect(throws: EngineError.self) { try plan.encoded(descriptors: count) }
        }
    }

    /// Slots have no gaps, however far behind in the configuration a mount stands, and both plans mean the same by them.
    @Test(arguments: [0, 1, 511, 512, 513, 2000])
    func slotsAreDense(others: Int) throws {
        let context = LaunchContext(root: .folder("/root"))
        let bound = Self.spec(mapped: 3, after: others, inUserNamespace: false)
        let maps = try LaunchPlan(preparing: bound, in: context).steps.compactMap {
            if case .idMap(_, let slot) = $0 { slot } else { nil }
        }
        let used = try LaunchPlan(bound, in: context).steps.compactMap {
            if case .bind(_, let slot?) = $0 { slot } else { nil }
        }
        #expect(maps == [0, 1, 2] && used == maps)

        let spec = Self.spec(mapped: 3, after: others)
        let opened = try LaunchPlan(preparing: spec, in: context)
        let slots = opened.steps.compactMap { if case .openTree(_, let slot, _) = $0 { slot } else { nil } }
        #expect(slots == [0, 1, 2])
        for case .idMap(_, let slot) in opened.steps { #expect((0...2).contains(slot)) }
        let attached = try LaunchPlan(spec, in: context).steps.compactMap {
            if case .attach(let bind, let slot) = $0 { "\(bind.target) \(slot)" } else { nil }
        }
        #expect(attached == ["/m0 0", "/m1 1", "/m2 2"])
        _ = try opened.encoded()
    }

    @Test(arguments: [(LaunchPlan.mostOpenedMounts, true), (LaunchPlan.mostOpenedMounts + 1, false)])
    func slots(count: Int, isTaken: Bool) throws {
        let context = LaunchContext(root: .folder("/root"))
        for inUserNamespace in [false, true] {
            let spec = Self.spec(mapped: count, after: 0, inUserNamespace: inUserNamespace)
            for plan in [try LaunchPlan(preparing: spec, in: context), try LaunchPlan(spec, in: context)] {
                if isTaken { _ = try plan.encoded() } else { #expect(throws: EngineError.self) { try plan.encoded() } }
            }
        }
    }

    @Test(arguments: [(65_534, true), (65_535, false)])
    func arguments(count: Int, isTaken: Bool) throws {
        let spec = LaunchPlanTests.spec { $0.process.args = [String](repeating: "a", count: count) }
        let plan = try LaunchPlan(spec, in: LaunchContext(root: .folder("/root")))
        if isTaken { _ = try plan.encoded() } else { #expect(throws: EngineError.self) { try plan.encoded() } }
    }

    @Test func aPlanThatIsTooLargeIsNamed() throws {
        let spec = LaunchPlanTests.spec { $0.process.args = ["a", String(repeating: "x", count: 17 << 20)] }
        let plan = try LaunchPlan(spec, in: LaunchContext(root: .folder("/root")))
        #expect(throws: EngineError.self) { try plan.encoded() }
    }
}
