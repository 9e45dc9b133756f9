import Build
import Testing

@testable import minirun

/// Every option of docker's two builders is known to `build`.
@Suite struct BuildOptionTests {
    /// What becomes of an option: it is carried out, passes because it asks for what is the case anyway, or is refused by name.
    enum Fate { case known, passes, refused }

    /// The words of docker 28's `docker build --help` and of buildx 0.2x's `docker buildx build --help`, those included that the
    /// second hides, without `--help`; a value where the option takes one.
    static let docker: [(name: String, value: String?, fate: Fate)] = [
        ("add-host", "a:1.2.3.4", .known), ("allow", "security.insecure", .refused), ("annotation", "a=b", .refused),
        ("attest", "type=sbom", .refused), ("build-arg", "A=b", .known), ("build-context", "a=b", .refused),
        ("builder", "other", .refused), ("cache-from", "x", .refused), ("cache-to", "x", .refused),
        ("call", "outline", .refused), ("cgroup-parent", "/x", .refused), ("check", nil, .refused),
        ("compress", nil, .passes), ("cpu-period", "1000", .refused), ("cpu-quota", "1000", .refused),
        ("cpu-shares", "2", .refused), ("cpuset-cpus", "0", .refused), ("cpuset-mems", "0", .refused),
        ("debug", nil, .passes), ("disable-content-trust", nil, .known), ("file", "x", .known),
        ("force-rm", nil, .passes),
        ("iidfile", "x", .known), ("invoke", "x", .refused), ("isolation", "hyperv", .refused),
        ("label", "a=b", .known),
        ("load", nil, .passes), ("memory", "1g", .refused), ("memory-swap", "-1", .refused),
        ("metadata-file", "x", .known),
        ("network", "none", .known), ("no-cache", nil, .known), ("no-cache-filter", "x", .refused),
        ("output", "type=tar", .refused), ("platform", "linux/amd64", .known), ("policy", "x", .refused),
        ("print", "outline", .refused), ("progress", "plain", .known), ("provenance", "true", .refused),
        ("pull", nil, .known), ("push", nil, .refused), ("quiet", nil, .known), ("resource", "x", .refused),
        ("rm", nil, .passes), ("sbom", "true", .refused), ("secret", "id=x", .refused), ("security-opt", "x", .refused),
        ("shm-size", "1m", .known), ("squash", nil, .refused), ("ssh", "default", .refused), ("tag", "x", .known),
        ("target", "x", .known), ("ulimit", "nofile=1", .known),
    ]

    private func message(of words: [String], _ verb: [String] = ["build"]) -> String? {
        do {
            _ = try Commands.table.parse(verb + words)
            return nil
        } catch {
            #expect(error.exitCode == 125)
            return error.text.split(separator: "\n").first.map(String.init)
        }
    }

    @Test(arguments: docker) func isKnown(_ option: (name: String, value: String?, fate: Fate)) {
        let spellings =
            option.value.map { [["--\(option.name)", $0], ["--\(option.name)=\($0)"]] } ?? [["--\(option.name)"]]
        for words in spellings {
            let message = message(of: words + ["."])
            if option.fate == .refused {
                let name = option.name == "print" ? "call" : option.name
                #expect(message?.hasPrefix("--\(name): ") == true, "\(words) \(message ?? "")")
            } else {
                #expect(message == nil, "\(words)")
            }
        }
        // A flag that is off asks for nothing.
        if option.value == nil { #expect(message(of: ["--\(option.name)=false", "."]) == nil) }
    }

    static let passing: [[String]] = [
        ["--load"], ["--rm"], ["--rm=false"], ["--force-rm"], ["--pull=false"], ["--builder", "default"],
        ["--builder="],
        ["--provenance=false"], ["--sbom=false"], ["--push=false"], ["--output", "type=docker"], ["-o", "type=image"],
        ["--call", "build"], ["--check=false"], ["--allow", "network.host"], ["--isolation", "default"], ["-m", "0"],
        ["--memory-swap", "0"], ["-c", "0"], ["--squash=false"], ["-D"], ["--progress", "none"], ["--cache-from="],
        ["--attest", "type=provenance,disabled=true"], ["--compress"],
    ]

    @Test(arguments: passing) func whatIsTheCaseAnywayPasses(_ words: [String]) {
        for verb in [["build"], ["image", "build"], ["builder", "build"], ["buildx", "build"]] {
            #expect(message(of: words + ["."], verb) == nil)
        }
    }

    /// docker's and buildx's `prune`.
    @Test(arguments: [
        ["-a"], ["--all", "-f"], ["--force"], ["--filter", "until=24h"], ["--keep-storage", "1GB"],
        ["--builder", "default"],
        ["--max-used-space", "1g"], ["--reserved-space", "1g"], ["--verbose"], ["--min-free-space", "0"],
    ]) func pruneKnowsIts(_ words: [String]) {
        for verb in [["builder", "prune"], ["buildx", "prune"]] { #expect(message(of: words, verb) == nil) }
    }

    @Test func filtersOfTheCache() throws {
        #expect(throws: (any Error).self) { try CacheFilter(["nosuch=1"]) }
        #expect(throws: (any Error).self) { try CacheFilter(["until=yesterday"]) }
        #expect(throws: (any Error).self) { try CacheFilter(["until=1h", "unused-for=2h"]) }
        #expect(throws: (any Error).self) { try CacheFilter(["type=nosuch"]) }
        let filter = try CacheFilter(["unused-for=1h", "type=regular", "id=ab"])
        #expect(filter.allows(id: "abc", kind: .step, lastUse: 0))
        #expect(!filter.allows(id: "abc", kind: .mount, lastUse: 0))
        #expect(!filter.allows(id: "b", kind: .step, lastUse: 0))
        #expect(!filter.allows(id: "abc", kind: .step, lastUse: .max))
    }
}
