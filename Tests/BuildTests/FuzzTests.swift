import OCI
import Testing

@testable import Build

/// Whatever bytes come, there is a plan or an error: no crash, no endless loop.
@Suite("Plan: any bytes") struct FuzzTests {
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 33)
        }
    }

    private static let seeds = [
        "# escape=`\nARG A=1\nFROM --platform=$BUILDPLATFORM a:${A:-2} AS b\nRUN --mount=type=cache,target=/c <<-EOF\n\tx\nEOF\n",
        "FROM a\nENV A=\"b c\" D=e\\ f\nCOPY --chown=$A:1 --chmod=u+x <<'E' a* [\"x\"] /d/\n$A\nE\nCMD [\"a\", \"\\u00e9\"]\n",
        "FROM a\nHEALTHCHECK --interval=1m30s CMD x \\\n# c\n\n y\nONBUILD ADD https://x/y.git#z /d\nEXPOSE 1-3/udp 8:9\n",
        "FROM scratch\nLABEL ${A#*/} ${B%%?} ${C/x/y}\nVOLUME [\"/a\", \"/b\"]\nSTOPSIGNAL SIGRTMIN+1\nSHELL [\"a\"]\nUSER 1\n",
    ]

    @Test(arguments: 0..<4) func planOrError(_ seed: Int) throws {
        var generator = Generator(state: UInt64(seed + 1))
        let alphabet = Array("$`\\\"'{}<>#%/:-+?*[]=, \t\r\n".utf8) + [0xC3, 0xFF, 0x00, 0x41]
        for _ in 0..<700 {
            var bytes = Array(FuzzTests.seeds[seed].utf8)
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let at = Int.random(in: 0..<bytes.count, using: &generator)
                let byte = alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[at] = byte
                case 1: bytes.insert(byte, at: at)
                default: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...9, using: &generator)))
                }
                if bytes.isEmpty { bytes = [0x46] }
            }
            check(bytes)
            _ = try? DockerIgnore(bytes).excludes(Array(bytes.prefix(40)))
        }
    }

    private func check(_ bytes: [UInt8]) {
        do {
            var planner = try BuildPlanner(try Dockerfile(bytes), Planned.amd64)
            while let request = planner.neededImages.first {
                try planner.provide(ImageConfiguration(platform: request.platform), for: request)
            }
            _ = try planner.plan()
        } catch {
            #expect(!error.message.isEmpty)
            _ = error.excerpt
        }
    }
}
