import LinuxSystem
import OCI
import Registry
import Testing

@testable import minirun

/// `login`, `logout` and `search` with a registry that only says yes or no; the texts are docker's.
@Suite final class LoginTests {
    private let folder = "/tmp/minirun-login-test.\(UInt64.random(in: 0...UInt64.max))"

    init() throws { try Files.makeDirectories(folder) }

    deinit { try? Files.removeTree(folder) }

    private func store(_ more: [String: String] = [:]) throws -> CredentialStore {
        let environment = ["DOCKER_CONFIG": folder, "XDG_RUNTIME_DIR": folder].merging(more) { $1 }
        return try CredentialStore.load(environment: environment, home: nil, invokingUser: nil)
    }

    private func request(_ words: String...) throws -> LoginRequest {
        let table = CommandTable(
            program: "minirun",
            summary: "",
            groups: [],
            makers: [{ LoginCommand.verb { _, _ in .refused("") } }]
        )
        guard case .verb(_, let parsed) = try table.parse(["login"] + words, width: { 80 }) else {
            throw EngineError(.invalid, "no verb")
        }
        return try LoginRequest(parsed)
    }

    /// What a login asked, printed and complained of.
    private struct Seen: Equatable {
        var asked: [String] = []
        var output = ""
        var complaints = ""
    }

    private func login(
        _ request: LoginRequest,
        typed: [String] = [],
        input: String = "",
        isTerminal: Bool = false,
        environment: [String: String] = [:],
        _ answer: @escaping (Credential) -> LoginAnswer = { _ in .accepted(identityToken: nil) }
    ) throws -> Seen {
        var seen = Seen()
        var typed = typed[...]
        let dialogue = LoginDialogue(
            isTerminal: isTerminal,
            line: { prompt in
                seen.output += prompt
                return typed.popFirst()
            },
            secret: { prompt in
                seen.output += prompt
                return typed.popFirst()
            },
            everything: { input },
            print: { seen.output += $0 },
            complain: { seen.complaints += $0 }
        )
        let flow = LoginFlow(store: try store(environment), dialogue: dialogue) { server, credential in
            seen.asked.append("\(server.host) \(credential)")
            return answer(credential)
        }
        try flow.run(request)
        return seen
    }

    private var unencrypted: String {
        """

        WARNING! Your credentials are stored unencrypted in '\(folder)/config.json'.
        Configure a credential helper to remove this warning. See
        https://docs.docker.com/go/credential-store/


        """
    }

    @Test func byPipe() throws {
        let request = try request("-u", "u", "--password-stdin", "https://reg.example:5000/v2/")
        let seen = try login(request, input: " p w\r\n")
        #expect(seen.asked == [#"reg.example:5000 basic(user: "u", password: " p w")"#])
        #expect(seen.output == "Login Succeeded\n")
        #expect(seen.complaints == unencrypted)
        #expect(try store().credential(for: "reg.example:5000") == .basic(user: "u", password: " p w"))
        // The same again changes nothing, so there is nothing to warn of.
        #expect(try login(request, input: " p w\n").complaints == "")
    }

    @Test func byOption() throws {
        let seen = try login(try request("-u", "u", "-p", "p"))
        #expect(seen.asked == [#"docker.io basic(user: "u", password: "p")"#])
        #expect(
            seen.complaints == "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n"
                + unencrypted
        )
        #expect(try Files.readText("\(folder)/config.json").contains("https://index.docker.io/v1/"))
    }

    @Test func byTyping() throws {
        let request = try request("reg.example")
        let seen = try login(request, typed: [" u ", "p"], isTerminal: true)
        #expect(seen.output == "Username: Password: \nLogin Succeeded\n")
        #expect(seen.asked == [#"reg.example basic(user: "u", password: "p")"#])
        let named = try login(try self.request("-u", "v", "reg.example"), typed: ["q"], isTerminal: true)
        #expect(named.output == "Password: \nLogin Succeeded\n")
        #expect(throws: EngineError.self) {
            try self.login(try self.request("x.example"), typed: [""], isTerminal: true)
        }
        #expect(throws: EngineError.self) {
            try self.login(try self.request("x.example"), typed: ["u"], isTerminal: true)
        }
        let error = try #require(throws: EngineError.self) { try self.login(try self.request("x.example")) }
        #expect(error.message == "Cannot perform an interactive login from a non TTY device")
    }

    @Test func byWhatIsStored() throws {
        _ = try store().store(.basic(user: "u", password: "old"), for: "reg.example")
        let request = try request("reg.example")
        let seen = try login(request)
        #expect(seen.output == "Login Succeeded\n")
        #expect(seen.complaints.hasPrefix("Authenticating with existing credentials... [Username: u]\n\n"))
        let second = try login(request, typed: ["", "new"], isTerminal: true) { credential in
            credential == .basic(user: "u", password: "new") ? .accepted(identityToken: "T") : .refused("no")
        }
        #expect(second.complaints.contains("Stored credentials invalid or expired\n"))
        #expect(second.output == "Username (u): Password: \nLogin Succeeded\n")
        // A token is kept in place of the password, and is no secret of the user's to warn of.
        #expect(!second.complaints.contains("unencrypted"))
        #expect(try store().credential(for: "reg.example") == .identityToken(user: "u", token: "T"))
    }

    @Test func refused() throws {
        let message = #"Get "https://reg.example/v2/": unauthorized: authentication required"#
        let error = try #require(throws: EngineError.self) {
            try login(try request("-u", "u", "-p", "p", "reg.example")) { _ in .refused(message) }
        }
        #expect(error.message == message)
        #expect(try store().credential(for: "reg.example") == nil)
        #expect(!FileStatus.exists("\(folder)/config.json"))
    }

    @Test(arguments: [
        (
            ["-u", "u", "-p", "p", "--password-stdin"],
            "conflicting options: cannot specify both --password and --password-stdin"
        ),
        (["--password-stdin"], "the --password-stdin option requires --username to be set"),
        (["-p", "-"], "the --password-stdin option requires --username to be set"), (["-u", ""], "username is empty"),
        (["-u", "u", "-p", ""], "password is empty"),
    ])
    func contradictions(_ words: [String], _ message: String) throws {
        let table = CommandTable(
            program: "m",
            summary: "",
            groups: [],
            makers: [{ LoginCommand.verb { _, _ in .refused("") } }]
        )
        guard case .verb(_, let parsed) = try table.parse(["login"] + words, width: { 80 }) else {
            Issue.record("no verb")
            return
        }
        let error = try #require(throws: EngineError.self) { try LoginRequest(parsed) }
        #expect(error.message == message)
    }

    @Test func emptyInput() throws {
        let error = try #require(throws: EngineError.self) {
            try login(try request("-u", "u", "--password-stdin"), input: " \n")
        }
        #expect(error.message == "password is empty")
    }

    @Test func logout() throws {
        var output = ""
        var complaints = ""
        func logout(_ server: String, _ environment: [String: String] = [:]) throws -> String {
            (output, complaints) = ("", "")
            LogoutCommand.run(server, try store(environment), print: { output += $0 }, complain: { complaints += $0 })
            return output
        }
        _ = try store().store(.basic(user: "u", password: "p"), for: "reg.example")
        _ = try store().store(.basic(user: "u", password: "p"), for: "")
        #expect(try logout("https://reg.example/v1/") == "Removing login credentials for reg.example\n")
        #expect(try store().credential(for: "reg.example") == nil)
        #expect(try store().credential(for: "docker.io") != nil)
        #expect(try logout("") == "Removing login credentials for https://index.docker.io/v1/\n")
        #expect(try store().credential(for: "docker.io") == nil)
        #expect(complaints == "")
        _ = try logout("x", ["DOCKER_AUTH_CONFIG": "{}"])
        #expect(complaints.hasPrefix("WARNING: DOCKER_AUTH_CONFIG is set and takes precedence.\n"))
        try Files.write("\(folder)/config.json", Array(#"{"credsStore": "absent-helper"}"#.utf8))
        _ = try logout("reg.example")
        #expect(complaints.hasPrefix("WARNING: could not erase credentials:\nreg.example: "))
    }
}

@Suite struct SearchTests {
    private static let answer = """
        {"num_results": 3, "query": "x", "results": [
          {"name": "python", "description": "Python is an interpreted, interactive, object-oriented language",
           "star_count": 9500, "is_official": true, "is_automated": false},
          {"name": "a/python", "description": "one\\ntwo\\u001b[31m", "star_count": 12, "is_official": false},
          {"name": "b/python", "description": "", "star_count": 0, "is_official": false}, {"star_count": 1}]}
        """

    private func table(_ format: String? = nil, filters: [String] = [], truncating: Bool = true) throws -> String {
        let results = try RepositorySearch.results(Array(SearchTests.answer.utf8))
        let style = SearchListing.Style(truncating: truncating, isJSON: format == "json")
        return try SearchListing.format.text(
            format,
            rows: SearchListing.rows(SearchListing.Filters(filters).filtered(results), style)
        )
    }

    @Test func dockersTable() throws {
        #expect(
            try table() == """
                NAME       DESCRIPTION                                     STARS     OFFICIAL
                python     Python is an interpreted, interactive, objec…   9500      [OK]
                a/python   one two [31m                                    12        
                b/python                                                   0         

                """
        )
        #expect(try table("{{.Name}} {{.IsOfficial}}", filters: ["stars=10"]) == "python [OK]\na/python \n")
        #expect(
            try table("json", filters: ["is-official=true"], truncating: false)
                == #"{"Description":"Python is an interpreted, interactive, object-oriented language","IsOfficial":"true","#
                + #""Name":"python","StarCount":"9500"}"# + "\n"
        )
        #expect(try table("{{.Name}}", filters: ["is-official=0", "stars=1", "stars=12"]) == "a/python\n")
        #expect(try table("{{.Name}}", filters: ["is-automated=true"]) == "")
        #expect(throws: EngineError.self) { try table(filters: ["stars=x"]) }
        #expect(throws: EngineError.self) { try table(filters: ["name=x"]) }
    }

    @Test(arguments: [
        ("python", 0, "index.docker.io", "/v1/search?q=python&n=25"),
        ("library/python", 7, "index.docker.io", "/v1/search?q=python&n=7"),
        ("docker.io/a b&c", 100, "index.docker.io", "/v1/search?q=a%20b%26c&n=100"),
        ("quay.io/team/x", 0, "quay.io", "/v1/search?q=team%2Fx&n=25"),
    ])
    func requests(_ term: String, _ limit: Int, _ host: String, _ path: String) throws {
        let search = try RepositorySearch(term, limit: limit)
        #expect(search.host == host)
        #expect(search.path == path)
    }

    @Test func refused() {
        #expect(throws: EngineError.self) { try RepositorySearch("x", limit: 101) }
        #expect(throws: EngineError.self) { try RepositorySearch("x", limit: -1) }
        #expect(throws: EngineError.self) { try RepositorySearch("https://x/y") }
        for text in ["", "[]", "{}", #"{"results": 1}"#] {
            #expect(throws: EngineError.self) { try RepositorySearch.results(Array(text.utf8)) }
        }
    }
}
