import Build
import Images
import LinuxSystem
import OCI
import Runner

/// `minirun system check`: whatever a crash, a full disk or a strange hand left in the store; `--repair` mends it.
enum SystemCheckCommand {
    static let verb = Verb(
        ["system check"],
        "Check the store and containers for damage, and mend it",
        usage: "[OPTIONS]",
        arguments: .none,
        options: SystemOptions.check,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let repairs = parsed.flag("repair")
        return try Installation.withEngine(parsed.globals) { engine in
            var left = 0
            var found = 0
            var lost = false
            let check = Check(engine: engine, readsBlobs: !parsed.flag("quick"), repairs: repairs)
            // A repair may bring the next problem to light: a damaged blob that went, its image that is not whole any more.
            for _ in 0..<(repairs ? 5 : 1) {
                let (seen, open) = try check.round(&lost)
                found += seen
                left = open
                if seen == open { break }
            }
            if found == 0 { Console.print("Nothing is wrong.\n") }
            if left > 0 {
                Console.complain("minirun: \(left) \(left == 1 ? "problem" : "problems") left\n")
                if !repairs { Console.complain("hint: minirun system check --repair\n") }
            }
            // What is lost is no problem of the store's any more, and still somebody's.
            return left > 0 || lost ? 1 : 0
        }
    }
}

/// One look at everything.
private struct Check {
    let engine: Engine
    let readsBlobs: Bool
    let repairs: Bool

    /// How many problems there were, and how many are left.
    /// - Parameter lost: becomes true where something was lost.
    func round(_ lost: inout Bool) throws -> (seen: Int, left: Int) {
        var (seen, left, later) = try settleAlone(&lost)
        // These wait until nobody holds the store any more.
        for problem in later {
            seen += 1
            if try !settle(problem, &lost) { left += 1 }
        }
        return (seen, left)
    }

    private typealias Settled = (seen: Int, left: Int, later: [StoreProblem])

    private func settleAlone(_ lost: inout Bool) throws -> Settled {
        guard let lease = try engine.images.exclusive() else {
            Console.complain("The store is in use: what is being made right now was not looked at.\n")
            return try engine.images.lease().during { try settleAll(isAlone: false, &lost) }
        }
        return try lease.during { try settleAll(isAlone: true, &lost) }
    }

    private func settleAll(isAlone: Bool, _ lost: inout Bool) throws -> Settled {
        let misplaced = engine.images.misplacedProblems()
        let first = try misplaced.isEmpty ? engine.containers.unreadableRecords() : misplaced
        if !first.isEmpty { return (first.count, try first.count { try !settle($0, &lost) }, []) }
        let cache = BuildCache(engine.images)
        var problems = try engine.containerProblems()
        problems += try cache.faults().map { path, what in
            StoreProblem(path, what, remedy: "removed") { try Files.removeTree(path) }
        }
        var roots = try cache.roots()
        roots.layers.formUnion(try engine.containerRoots().layers)
        problems += try engine.images.problems(
            isAlone: isAlone,
            keeping: roots,
            running: engine.runningLayers(),
            readsBlobs: readsBlobs
        )
        let now = problems.filter { !$0.makes }
        let left = try now.count { try !settle($0, &lost) }
        return (now.count, left, problems.filter(\.makes))
    }

    /// Prints a problem's line; true where it is mended.
    private func settle(_ problem: StoreProblem, _ lost: inout Bool) throws -> Bool {
        var line = "\(problem.subject): \(problem.message)"
        var isMended = false
        if repairs {
            if let repair = problem.repair {
                do {
                    try repair()
                    isMended = true
                    if problem.isLoss { lost = true }
                    line += ": \(problem.remedy ?? "mended")"
                } catch {
                    line += ": could not be mended: \(error)"
                }
            } else {
                line += ": cannot be mended"
            }
        }
        Console.print(line + "\n")
        return isMended
    }
}
