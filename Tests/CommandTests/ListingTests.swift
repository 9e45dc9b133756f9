import OCI
import Runner
import Testing

@testable import minirun

/// The lists, row by row, against what docker 28 prints for the same values.
@Suite struct ListingTests {
    private static let now: UInt64 = 1_800_000_000 * second
    private static let second: UInt64 = 1_000_000_000
    private static let id = Digest(sha256: [UInt8](repeating: 0xAB, count: 32))
    private static let other = Digest(sha256: [UInt8](repeating: 0xCD, count: 32))

    // MARK: images

    private static func entries() throws -> [ImageEntry] {
        [
            ImageEntry(
                id: id,
                tags: try ["busybox:latest", "busybox:1.36", "localhost:5000/a/b:x"].map { try ImageReference($0) },
                digests: try ["busybox@\(other)", "other/thing@\(other)"].map { try ImageReference($0) },
                created: now - 3 * 86400 * second,
                size: 4_261_550,
                labels: ["a": "b"]
            ),
            ImageEntry(id: other, tags: [], digests: [], created: nil, size: 133_456_789, labels: [:]),
        ]
    }

    private func images(_ format: String? = nil, digests: Bool = false, shows: Bool = false) throws -> String {
        var style = ImageListing.Style(now: Self.now)
        style.digests = digests
        style.showsDigests = digests || shows
        return try ImageListing.format(digests: digests).text(format, rows: ImageListing.rows(Self.entries(), style))
    }

    @Test func imagesAreDockersTable() throws {
        #expect(
            try images() == """
                REPOSITORY           TAG       IMAGE ID       CREATED      SIZE
                busybox              latest    abababababab   3 days ago   4.26MB
                busybox              1.36      abababababab   3 days ago   4.26MB
                localhost:5000/a/b   x         abababababab   3 days ago   4.26MB
                other/thing          <none>    abababababab   3 days ago   4.26MB
                <none>               <none>    cdcdcdcdcdcd   N/A          133MB

                """
        )
    }

    @Test func digestsStandBesideTags() throws {
        let digest = Self.other.description
        #expect(
            try images("{{.Repository}} {{.Tag}} {{.Digest}}", shows: true)
                == "busybox latest \(digest)\nbusybox 1.36 \(digest)\nlocalhost:5000/a/b x <none>\n"
                + "other/thing <none> \n<none> <none> <none>\n"
        )
        #expect(
            try images(digests: true).split(separator: "\n")[4].hasPrefix("other/thing          <none>    \(digest)")
        )
        #expect(try images().contains("sha256") == false)
    }

    @Test func imagesAsJSONHaveDockersFields() throws {
        let line = try images("json").prefix { $0 != "\n" }
        #expect(
            try JSON.parse(String(line)) == [
                "Containers": "N/A", "CreatedAt": "2027-01-12 08:00:00 +0000 UTC", "CreatedSince": "3 days ago",
                "Digest": "<none>", "ID": "abababababab", "Repository": "busybox", "SharedSize": "N/A",
                "Size": "4.26MB",
                "Tag": "latest", "UniqueSize": "N/A", "VirtualSize": "4.262MB",
            ]
        )
    }

    @Test(
        arguments: [
            (["dangling=true"], nil, 0, 1), (["dangling=false"], nil, 5, 1), (["label=a"], nil, 5, 1),
            (["label=a=c"], nil, 0, 0),
            (["label=a", "label=x"], nil, 0, 0), (["reference=busybox"], nil, 3, 1),
            (["reference=busy*:1.*"], nil, 1, 1),
            (["reference=*/*/*", "reference=*:latest"], nil, 2, 1), ([], "busybox:1.36", 1, 1),
            (["reference=*:x"], "busybox", 0, 0),
            (["before=x"], nil, 0, 1), (["since=y"], nil, 5, 1),
        ] as [([String], String?, Int, Int)]
    ) func imageFilters(_ texts: [String], _ pattern: String?, _ names: Int, _ count: Int) throws {
        let known = try Self.entries()
        var filter = try ImageFilter(texts, known: known) { $0 == "x" ? Self.id : Self.other }
        if let pattern { try filter.require(pattern) }
        let found = filter.selected(known)
        #expect(found.map { $0.tags.count + $0.digests.count }.reduce(0, +) == names)
        #expect(found.count == count)
    }

    /// An image of whose names only a digest is left is shown either way (moby, daemon/images/images.go).
    @Test func aDigestAloneIsDanglingToo() throws {
        var entry = try Self.entries()[0]
        entry.tags = []
        for value in ["true", "false"] {
            let filter = try ImageFilter(["dangling=\(value)"], known: [entry]) { _ in Self.id }
            #expect(filter.selected([entry]).count == 1, "\(value)")
        }
    }

    @Test func filtersOfAPrune() throws {
        #expect(throws: Never.self) { try PruneFilter(["dangling=true", "until=1h", "label!=x"], dangling: true) }
        #expect(throws: Never.self) { try PruneFilter(["dangling=0"], dangling: false) }
        for (texts, dangling, message) in [
            (["dangling=false"], true, "invalid filter 'dangling=[true false]'"),
            (["dangling=true"], nil, "invalid filter 'dangling'"),
            (["until=1h", "until=2h"], true, "more than one until filter specified"),
        ] as [([String], Bool?, String)] {
            #expect { try PruneFilter(texts, dangling: dangling) } throws: { "\($0)" == message }
        }
    }

    @Test(arguments: ["foo=bar", "dangling=perhaps", "reference=[", "until=soon"]) func wrongImageFilters(
        _ text: String
    ) {
        #expect(throws: (any Error).self) { try ImageFilter([text], known: [], resolve: { _ in Self.id }) }
    }

    // MARK: history

    @Test func historyIsDockersTable() throws {
        var configuration = ImageConfiguration()
        let created = Timestamp.rfc3339(nanoseconds: Self.now - 28 * 3600 * Self.second)
        configuration.history = [
            .init(created: nil, createdBy: nil),
            .init(
                created: created,
                createdBy: "/bin/sh -c #(nop)\tCMD [\"sh\"] and some very long text that goes on",
                comment: "c",
                emptyLayer: true
            ),
        ]
        func text(_ style: HistoryListing.Style, _ format: String? = nil) throws -> String {
            let rows = HistoryListing.rows(Self.id, configuration, layerSizes: [4_261_550, 2], style)
            return try HistoryListing.format(human: style.human).text(format, rows: rows)
        }
        let shown = """
            IMAGE          CREATED        CREATED BY                                      SIZE      COMMENT
            abababababab   N/A                                                            2B        ␣
            <missing>      28 hours ago   /bin/sh -c #(nop) CMD ["sh"] and some very l…   0B        c
            <missing>      N/A                                                            4.26MB    ␣

            """
        #expect(try text(.init(now: Self.now)) == shown.replacing("␣", with: ""))
        let plain = HistoryListing.Style(human: false, truncating: false, now: Self.now)
        #expect(
            try text(plain, "{{.ID}} {{.CreatedAt}} {{.Size}}")
                == "\(Self.id) 1970-01-01T00:00:00Z 2\n<missing> 2027-01-14T04:00:00Z 0\n<missing> 1970-01-01T00:00:00Z 4261550\n"
        )
    }

    // MARK: ps

    private static func record(
        _ name: String,
        age: UInt64,
        image: String = "busybox",
        command: [String] = ["sh", "-c", "sleep 1000; echo hello"]
    ) -> ContainerRecord {
        var options = ContainerOptions()
        options.command = command
        return ContainerRecord(
            id: String(repeating: name == "one_two" ? "12" : "34", count: 32),
            name: name,
            created: now - age * second,
            imageName: image,
            imageID: id.description,
            layers: [other.description],
            imageConfiguration: ContainerConfiguration(),
            options: options
        )
    }

    private static var records: [ContainerRecord] {
        var running = record("one_two", age: 120)
        running.state.status = .running
        running.state.started = now - 119 * second
        running.options.labels = ["c": "d", "a": "b"]
        running.options.mounts = [
            MountRequest(kind: .bind(source: "/a/very/long/path/of/mine", create: false), destination: "/x")
        ]
        var ended = record("three", age: 12000, image: id.description, command: ["sh"])
        ended.state.status = .exited
        ended.state.started = now - 11999 * second
        ended.state.finished = now - 3 * second
        ended.state.exitCode = 3
        return [running, ended]
    }

    private func containers(_ format: String? = nil, truncating: Bool = true, sizes: Bool = false) throws -> String {
        let rows = Self.records.map { record in
            ContainerListing.row(
                ContainerEntry(record: record, image: record.imageName, size: sizes ? (1234, 4_262_784) : nil),
                truncating: truncating,
                now: Self.now
            )
        }
        return try ContainerListing.format(size: sizes).text(format, rows: rows)
    }

    @Test func containersAreDockersTable() throws {
        #expect(
            try containers(sizes: true) == """
                CONTAINER ID   IMAGE          COMMAND                  CREATED         STATUS                     PORTS     NAMES     SIZE
                121212121212   busybox        "sh -c 'sleep 1000; …"   2 minutes ago   Up About a minute                    one_two   1.23kB (virtual 4.26MB)
                343434343434   abababababab   "sh"                     3 hours ago     Exited (3) 3 seconds ago             three     1.23kB (virtual 4.26MB)

                """
        )
        #expect(try containers("{{.Command}}", truncating: false) == "\"sh -c 'sleep 1000; echo hello'\"\n\"sh\"\n")
        #expect(
            try containers("{{.Labels}} {{.Mounts}} {{.Networks}} {{.Size}} {{.State}}")
                == "a=b,c=d /a/very/long/p… none 0B running\n  none 0B exited\n"
        )
    }

    @Test func containerStates() {
        var record = Self.record("x", age: 5)
        #expect(ContainerListing.status(of: record, now: Self.now) == "Created")
        record.state.status = .running
        record.state.started = Self.now - 7200 * Self.second
        #expect(ContainerListing.status(of: record, now: Self.now) == "Up 2 hours")
        record.state.started = Self.now + 5 * Self.second
        #expect(ContainerListing.status(of: record, now: Self.now) == "Up Less than a second")
    }

    @Test(
        arguments: [
            ([], ["one_two", "three"]), (["name=one"], ["one_two"]), (["name=^/three$"], ["three"]), (["name=^ee"], []),
            (["name=one", "name=three"], ["one_two", "three"]), (["id=^12"], ["one_two"]), (["label=a"], ["one_two"]),
            (["label=a=b", "label=c=x"], []), (["status=exited"], ["three"]), (["exited=3"], ["three"]),
            (["exited=0"], []),
            (["ancestor=layers"], ["one_two", "three"]), (["ancestor=nothing"], []), (["before=one_two"], ["three"]),
            (["since=three"], ["one_two"]), (["network=none"], ["one_two", "three"]), (["network=host"], []),
            (["volume=/x"], ["one_two"]), (["publish=80"], []), (["health=none"], ["one_two", "three"]),
        ] as [([String], [String])]
    ) func containerFilters(_ texts: [String], _ names: [String]) throws {
        let filters = try ContainerFilters(texts) { name in
            try #require(Self.records.first { $0.name == name })
        } image: { name in
            name == "layers" ? .init(id: "", top: Self.other.description) : nil
        }
        #expect(Self.records.filter(filters.allows).map(\.name) == names)
    }

    @Test(arguments: ["foo=bar", "status=gone", "exited=x", "name=("]) func wrongContainerFilters(_ text: String) {
        #expect(throws: (any Error).self) {
            try ContainerFilters([text], container: { _ in Self.record("x", age: 1) }, image: { _ in nil })
        }
    }

    @Test(arguments: [
        ("a", "bab", true), ("^a", "ba", false), ("b$", "ab", true), ("^$", "", true), ("a.c", "xabcx", true),
        ("ab*c", "ac", true), ("ab+c", "ac", false), ("ab?c", "abc", true), ("ab?c", "abbc", false),
        ("web-[0-9]+$", "web-12", true), ("web-[^0-9]", "web-1", false), ("one|two", "xtwo", true),
        ("a\\.c", "abc", false),
        ("[]x]", "]", true), (".*", "", true), ("^a*b$", "aaab", true),
    ]) func patterns(_ pattern: String, _ text: String, _ isFound: Bool) throws {
        #expect(try NamePattern(pattern).isFound(in: text) == isFound)
    }

    @Test(arguments: ["*", "a(b)", "[a", "a{2}", "\\", "[z-a]"]) func wrongPatterns(_ text: String) {
        #expect(throws: ValueError.self) { try NamePattern(text) }
    }
}
