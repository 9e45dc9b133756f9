import NIOHTTP1
import OCI

extension Repository {
    /// All tags, page by page, in the registry's order.
    func tags() async throws -> [String] {
        let size = "\(session.options.pageSize)"
        var tags: [String] = []
        try await pages(from: exchange(.GET, "tags/list", query: [("n", size)])) { answer, bytes in
            // A repository without tags has null there.
            guard let page = try? JSON.parse(bytes), page.object != nil else {
                throw EngineError(.corrupt, "\(answer.request): no list of tags")
            }
            tags += (page["tags"]?.strings ?? []).filter(ImageReference.isTag)
        }
        return tags
    }

    /// What refers to a manifest: signatures, attestations (distribution-spec, "Listing Referrers").
    func referrers(of digest: Digest) async throws -> [Descriptor] {
        var exchange = try exchange(.GET, "referrers/\(digest)")
        exchange.headers = [("Accept", MediaType.imageIndex.rawValue)]
        var found: [Descriptor] = []
        do {
            try await pages(from: exchange) { answer, bytes in
                guard answer.header("Content-Type")?.hasPrefix(MediaType.imageIndex.rawValue) ?? false else {
                    throw NoReferrers()
                }
                found += try ImageIndex(JSON.parse(bytes)).manifests
            }
            return found
        } catch let failure as RegistryFailure where failure.status == 404 {} catch is NoReferrers {}
        // A registry without the endpoint: an index under a tag that is the digest's ("Referrers Tag Schema").
        do { return try await ImageIndex(manifest("sha256-\(digest.hex)").json).manifests } catch let failure
            as RegistryFailure
        {
            if failure.status == 404 { return [] }
            throw failure
        }
    }

    /// The answer to a question for referrers is something else.
    private struct NoReferrers: Error {}

    /// Reads a list to its end. The next page may be anywhere ("Listing Tags"); credentials go to the registry only.
    private func pages(from first: Exchange, _ read: (Answer, [UInt8]) throws -> Void) async throws {
        var exchange = first
        var seen: Set<WebURL> = []
        while seen.insert(exchange.url).inserted {
            guard seen.count <= 10_000 else { throw EngineError(.corrupt, "\(first.url.shown): a list without an end") }
            let (answer, bytes) = try await session.fetch(exchange, limit: 8 << 20, patience)
            try read(answer, bytes)
            guard let next = LinkHeader.next(answer.headers["Link"]) else { return }
            exchange.url = try endpoint.resolve(next, in: answer)
            if first.url.scheme == .https, exchange.url.scheme == .http {
                throw EngineError(.failed, "\(answer.request): a link from https to \(exchange.url.origin) is refused")
            }
        }
        throw EngineError(.corrupt, "\(first.url.shown): a list that leads back to its page \(exchange.url.shown)")
    }
}
