import LinuxSystem
import NIOCore
import NIOPosix
import NIOSSL
import OCI

/// Finds out what is wrong with a server's certificate: the library only says that something is. The connection that it
/// makes for that carries nothing but the handshake.
struct CertificateDiagnosis: Sendable {
    let place: HostPort
    let address: String
    let tls: TLSSettings

    /// The failure with the reason in the words of Go's clients, and what a person can do.
    func explain(_ failure: TransportFailure) async -> TransportFailure {
        guard let chain = await certificates(), let leaf = chain.first else { return failure }
        let now = Int(Clock.realtime / 1_000_000_000)
        for certificate in chain {
            if certificate.notValidAfter < now || certificate.notValidBefore > now {
                return failed(
                    failure,
                    "certificate has expired or is not yet valid",
                    "it is valid from \(CertificateDiagnosis.day(certificate.notValidBefore)) to "
                        + "\(CertificateDiagnosis.day(certificate.notValidAfter)): renew it, or check this machine's clock"
                )
            }
        }
        let names = CertificateDiagnosis.names(leaf)
        if !names.contains(where: { CertificateDiagnosis.matches($0, place.host) }) {
            let shown = names.isEmpty ? "no name" : names.prefix(8).joined(separator: ", ")
            return failed(failure, "certificate is valid for \(shown), not \(place.host)", nil)
        }
        return failed(
            failure,
            "certificate signed by unknown authority",
            "put the authority's certificate into /etc/containers/certs.d/\(place)/ca.crt, or name it as \"ca\" of "
                + "[registry.\"\(place)\"] in /etc/minirun/registries.toml"
        )
    }

    private func failed(_ failure: TransportFailure, _ reason: String, _ hint: String?) -> TransportFailure {
        TransportFailure(
            stage: .certificate,
            request: failure.request,
            reason: "tls: failed to verify certificate: x509: \(reason)",
            hint: hint
        )
    }

    /// What the server shows, unchecked.
    private func certificates() async -> [NIOSSLCertificate]? {
        let found = Found()
        guard var configuration = try? tls.configuration() else { return nil }
        configuration.certificateVerification = .noHostnameVerification
        guard let context = try? NIOSSLContext(configuration: configuration) else { return nil }
        let host = IPAddress(place.host) == nil ? place.host : nil
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(5))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = try NIOSSLClientHandler(context: context, serverHostname: host) { chain, promise in
                        found.set(chain)
                        promise.succeed(NIOSSLVerificationResult.failed)
                    }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
        guard let channel = try? await bootstrap.connect(host: address, port: place.port ?? 443).get() else {
            return nil
        }
        let impatience = channel.eventLoop.scheduleTask(in: .seconds(5)) { channel.close(promise: nil) }
        try? await channel.closeFuture.get()
        impatience.cancel()
        return found.chain
    }

    private static func names(_ certificate: NIOSSLCertificate) -> [String] {
        certificate._subjectAlternativeNames().compactMap { name in
            switch name.nameType {
            case .dnsName: return String(decoding: name.contents, as: UTF8.self).lowercased()
            case .ipAddress: return address(Array(name.contents)).flatMap { IPAddress($0)?.description }
            default: return nil
            }
        }
    }

    private static func address(_ bytes: [UInt8]) -> String? {
        if bytes.count == 4 { return bytes.map(String.init).joined(separator: ".") }
        guard bytes.count == 16 else { return nil }
        let groups = stride(from: 0, to: 16, by: 2).map { String(Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]), radix: 16) }
        return groups.joined(separator: ":")
    }

    /// A wildcard stands for one label, the first (RFC 6125, section 6.4.3).
    static func matches(_ name: String, _ host: String) -> Bool {
        if let wanted = IPAddress(host) { return IPAddress(name) == wanted }
        guard name.hasPrefix("*.") else { return name == host.lowercased() }
        return host.lowercased().drop { $0 != "." } == name.dropFirst()
    }

    private static func day(_ seconds: some FixedWidthInteger) -> String {
        String(Timestamp.rfc3339(seconds: Int64(clamping: seconds)).prefix(10))
    }

    private final class Found: @unchecked Sendable {
        private let lock = Lock()
        private var certificates: [NIOSSLCertificate]?
        var chain: [NIOSSLCertificate]? { lock.locked { certificates } }
        func set(_ chain: [NIOSSLCertificate]) { lock.locked { certificates = chain } }
    }
}
