import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// The size budget: what was used longest ago goes, and nothing that is needed.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct StoreLimitTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    @discardableResult
    private func load(_ number: Int) throws -> Outcome {
        // 3.2 MB packed, and as much again unpacked.
        let outcome = try minirun("load", "-i", minirun.archive("i\(number)", number: number, size: 400_000))
        #expect(outcome.code == 0, "\(outcome)")
        return outcome
    }

    @Test func showsAndSets() throws {
        let none = try minirun("system", "limits")
        #expect(none.lines.first?.hasPrefix("LIMIT") == true && none.lines[1].contains("none"))
        #expect(try minirun("system", "limits", "--images", "20GB", "--free", "10%").code == 0)
        let set = try minirun("system", "limits")
        #expect(set.lines[1].contains("20GB") && set.lines[2].contains("10%"), "\(set)")
        #expect(try minirun("system", "limits", "--images", "none").code == 0)
        #expect(try minirun("system", "limits").lines[2].contains("10%"))
        #expect(try minirun("system", "limits", "--free", "none").code == 0)
        #expect(!FileStatus.exists("\(minirun.root)/limits.json"))
        for wrong in ["x", "-1", "5%"] { #expect(try minirun("system", "limits", "--images", wrong).code != 0) }
        for wrong in ["100%", "0%", "x"] { #expect(try minirun("system", "limits", "--free", wrong).code != 0) }
    }

    @Test func whatWasUsedLongestAgoGoes() throws {
        for number in 1...3 { try load(number) }
        #expect(try minirun("run", "--name", "c1", "i1").code == 0)
        #expect(try minirun("run", "--rm", "i2").code == 0)
        // Room for the base, which all share, and three images.
        #expect(try minirun("system", "limits", "--images", "33MB").code == 0)
        let fourth = try load(4)
        // i1 has a container, i2 was used after i3 was loaded.
        #expect(fourth.err.hasPrefix("Removed i3:latest, last used "), "\(fourth)")
        let names = try minirun.imageNames()
        #expect(names.contains("i1:latest") && names.contains("i4:latest") && !names.contains("i3:latest"), "\(names)")
        try minirun.expectSound()
        // Too small for what is needed: that stays all the same, and what was just loaded, too.
        #expect(try minirun("system", "limits", "--images", "1MB").code == 0)
        #expect(try minirun.imageNames() == ["i1:latest"])
        try load(5)
        #expect(try minirun.imageNames() == ["i1:latest", "i5:latest"])
        try minirun.expectSound()
    }

    @Test func buildStepsCountAndGo() throws {
        try load(1)
        let context = try minirun.makeFolder("context")
        for number in 1...4 {
            try minirun.write("context/Dockerfile", "FROM i1\nRUN head -c 4000000 /dev/urandom > /x\(number)\n")
            let outcome = try minirun("build", "-q", "-t", "b\(number)", context)
            #expect(outcome.code == 0, "\(outcome)")
        }
        #expect(try Files.list("\(minirun.root)/build/steps").count == 4)
        #expect(try minirun("system", "limits", "--images", "29MB").code == 0)
        #expect(try Files.list("\(minirun.root)/build/steps").count < 4)
        let names = try minirun.imageNames()
        #expect(names.contains("b4:latest") && !names.contains("b1:latest"), "\(names)")
        let taken = try tool("du", "-s", "-B1", minirun.root).prefix { $0 != "\t" }
        #expect((Int64(taken) ?? .max) < 29_200_000)
        try minirun.expectSound()
    }

    /// The limit is about the file system: the free space, too.
    @Test func keepsTheDiskFree() throws {
        let disk = try SmallDisk(in: minirun, megabytes: 64)
        for number in 1...4 { try load(number) }
        #expect(try minirun.imageNames().count == 4)
        #expect(try minirun("system", "limits", "--free", "60%").code == 0)
        #expect(try minirun.imageNames().count < 4)
        try load(5)
        #expect(try minirun.imageNames().contains("i5:latest"))
        #expect(try disk.freeShare() >= 0.6 || minirun.imageNames() == ["i5:latest"])
        try minirun.expectSound()
    }
}
