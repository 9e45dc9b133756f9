import OCI
import Testing

@Suite struct ImageReferenceTests {
    static let digest = "sha256:" + String(repeating: "ab", count: 32)

    @Test(arguments: [
        ("python", "docker.io/library/python:latest", "python:latest"),
        ("python:3.8-slim", "docker.io/library/python:3.8-slim", "python:3.8-slim"),
        ("user/app", "docker.io/user/app:latest", "user/app:latest"),
        ("docker.io/python", "docker.io/library/python:latest", "python:latest"),
        ("index.docker.io/library/python", "docker.io/library/python:latest", "python:latest"),
        ("localhost/a", "localhost/a:latest", "localhost/a:latest"),
        ("localhost:5000/a/b:t", "localhost:5000/a/b:t", "localhost:5000/a/b:t"),
        ("ghcr.io/o/r@\(digest)", "ghcr.io/o/r@\(digest)", "ghcr.io/o/r@\(digest)"),
        ("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("docker.io/localhost/b", "docker.io/localhost/b:latest", "docker.io/localhost/b:latest"),
        ("a:b@\(digest)", "docker.io/library/a:b@\(digest)", "a:b@\(digest)"),
        ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
        ("a__b/c-d--e.f", "docker.io/a__b/c-d--e.f:latest", "a__b/c-d--e.f:latest"),
    ])
    func reads(text: String, whole: String, familiar: String) throws {
        let reference = try ImageReference(text)
        #expect(reference.description == whole)
        #expect(reference.familiar == familiar)
    }

    @Test(arguments: [
        "", ":tag", "a:", "a::b", "UPPER/Case", "Python", "a/", "/a", "a//b", "a..b", "a_-b", "-a", "a@sha256:12",
        "a:\(String(repeating: "t", count: 129))",
        String(repeating: "ab", count: 32), "a/../b", "a b", "ho_st.com:5000/../x", "[:..]/a", "[]/a",
        "[::1]x:5000/a", "a.b:/c",
        String(repeating: "a/", count: 130) + "a",
    ])
    func refuses(text: String) {
        #expect(throws: EngineError.self) { try ImageReference(text) }
    }

    @Test func saysWhatIsWrongWithUpperCase() {
        #expect {
            try ImageReference("x/Case")
        } throws: {
            "\($0)" == "invalid reference format: repository name (x/Case) must be lowercase"
        }
    }
}
