import LinuxSystem

/// An authority, and certificates from it, made by openssl(1) in a folder.
package final class Certificates {
    private let folder: String
    package let authority: String
    private let key: String

    package init(in folder: String) throws {
        self.folder = folder
        (authority, key) = try Certificates.selfSigned("authority", in: folder)
    }

    /// A certificate for one name that nobody vouches for, and its key.
    package static func selfSigned(_ name: String, in folder: String) throws -> (certificate: String, key: String) {
        let (certificate, key) = ("\(folder)/\(name).crt", "\(folder)/\(name).key")
        try tool(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=\(name)",
            "-addext",
            "subjectAltName=DNS:\(name)",
            "-keyout",
            key,
            "-out",
            certificate
        )
        return (certificate, key)
    }

    /// - Parameters:
    ///   - names: `DNS:a.test,IP:127.0.0.1`
    ///   - days: how long it is valid; less than 0 is over already.
    package func make(_ name: String, names: String, days: Int = 2) throws -> (certificate: String, key: String) {
        let (certificate, own) = ("\(folder)/\(name).crt", "\(folder)/\(name).key")
        try Files.write("\(folder)/\(name).ext", Array("subjectAltName=\(names)\n".utf8))
        try tool(
            "openssl",
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=\(name)",
            "-keyout",
            own,
            "-out",
            "\(folder)/\(name).csr"
        )
        try tool(
            "openssl",
            "x509",
            "-req",
            "-in",
            "\(folder)/\(name).csr",
            "-CA",
            authority,
            "-CAkey",
            key,
            "-CAcreateserial",
            "-days",
            "\(days)",
            "-extfile",
            "\(folder)/\(name).ext",
            "-out",
            certificate
        )
        return (certificate, own)
    }
}
