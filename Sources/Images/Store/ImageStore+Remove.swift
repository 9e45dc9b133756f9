import LinuxSystem
import OCI

/// What a removal did, as `rmi` prints it: "Untagged: python:3.8-slim", "Deleted: sha256:…".
package enum RemovalEvent: Equatable, Sendable, CustomStringConvertible {
    case untagged(ImageReference)
    /// An image's id, or the chain id of a layer that no other image has.
    case deleted(Digest)

    package var description: String {
        switch self {
        case .untagged(let reference): "Untagged: \(reference.familiar)"
        case .deleted(let digest): "Deleted: \(digest)"
        }
    }
}

/// A container that was made of an image.
package struct ContainerUse: Equatable, Sendable {
    package let id: String
    package let isRunning: Bool

    package init(id: String, isRunning: Bool) {
        self.id = id
        self.isRunning = isRunning
    }
}

extension ImageStore {
    /// Removes a name or an image, by docker's rules (moby, daemon/images/image_delete.go):
    ///
    /// - A name is taken away. If it was the image's last one, the image goes too, unless a container uses it.
    /// - The only name of an image that a container uses is taken away by `force` only.
    /// - By its id an image goes with its name, if all its names are of one repository; several need `force`.
    /// - An image that a running container uses never goes; one that a stopped container uses goes by `force`.
    ///
    /// Content goes later, by `collect`.
    /// - Parameter inUse: the containers that use an image, by its id.
    package func remove(_ text: String, force: Bool = false, inUse: (Digest) throws -> [ContainerUse]) throws
        -> [RemovalEvent]
    {
        try updateIndex { index in
            let image: StoredImage
            do { image = try resolve(text, platform: nil, in: index) } catch {
                return try removeDamaged(text, from: &index, because: error)
            }
            let images = images(in: index)
            let removal = Removal(
                image: images.first { $0.id == image.id } ?? image,
                others: images.filter { $0.id != image.id },
                uses: try inUse(image.id),
                force: force
            )
            let isID = [image.id.hex, image.id.description, image.target.digest.description].contains {
                $0.hasPrefix(text)
            }
            let plan = isID ? try removal.byID() : try removal.byName(text)
            for name in plan.names { index.remove(name) }
            if plan.deletesImage { removeNameless(image.id, from: &index) }
            return plan.events
        }
    }

    /// Entries without a name that lead to this image and to no other.
    func removeNameless(_ id: Digest, from index: inout ImageIndex) {
        index.manifests.removeAll { entry in
            let ids = Set(manifests(of: entry).map(\.manifest.configuration.digest))
            return entry.reference == nil && ids == [id]
        }
    }

    /// An image that cannot be read any more must still be removable, or it would stay for ever: its entry goes.
    private func removeDamaged(_ text: String, from index: inout ImageIndex, because error: any Error) throws
        -> [RemovalEvent]
    {
        guard let entry = try find(text, in: index), (try? image(entry, platform: nil)) == nil else { throw error }
        index.manifests.removeAll { $0 == entry }
        return entry.reference.map { [.untagged($0)] } ?? [.deleted(entry.digest)]
    }
}

/// Decides what goes.
private struct Removal {
    let image: StoredImage
    let others: [StoredImage]
    let uses: [ContainerUse]
    let force: Bool

    struct Plan {
        var names: [ImageReference] = []
        var deletesImage = false
        var events: [RemovalEvent] = []
    }

    private var running: ContainerUse? { uses.first { $0.isRunning } }
    private var stopped: ContainerUse? { uses.first { !$0.isRunning } }

    func byName(_ text: String) throws -> Plan {
        var name = try ImageReference(text)
        if let digest = name.digest { name = try ImageReference("\(name.repository)@\(digest)") }
        if !force, Removal.isSingle(image.references), let user = uses.first {
            throw EngineError(
                .conflict,
                "conflict: unable to remove repository reference \"\(text)\" (must force) - "
                    + "container \(user.id.prefix(12)) is using its referenced image \(image.id.short)"
            )
        }
        var plan = Plan(names: [name], events: [.untagged(name)])
        var left = image.references.filter { $0 != name }
        // Digests alone do not keep an image whose last tag in their repository went.
        if name.digest == nil, !left.contains(where: { $0.tag != nil && $0.repository == name.repository }) {
            for digest in left where digest.repository == name.repository { plan.take(digest) }
            left.removeAll { $0.repository == name.repository }
        }
        if left.isEmpty, running == nil, stopped == nil || force { delete(&plan) }
        return plan
    }

    func byID() throws -> Plan {
        if let running {
            throw conflict("cannot be forced", "image is being used by running container \(running.id.prefix(12))")
        }
        if !force {
            if image.references.count > 0, !Removal.isSingle(image.references) {
                throw conflict("must be forced", "image is referenced in multiple repositories")
            }
            if let stopped {
                throw conflict("must be forced", "image is being used by stopped container \(stopped.id.prefix(12))")
            }
        }
        var plan = Plan()
        for name in image.references { plan.take(name) }
        delete(&plan)
        return plan
    }

    private func conflict(_ how: String, _ why: String) -> EngineError {
        EngineError(.conflict, "conflict: unable to delete \(image.id.short) (\(how)) - \(why)")
    }

    /// The layers that no other image has go as well, unless a container still stands on them; the top one first.
    private func delete(_ plan: inout Plan) {
        plan.deletesImage = true
        plan.events.append(.deleted(image.id))
        if !uses.isEmpty { return }
        let shared = Set(others.flatMap(\.chainIDs))
        for layer in image.chainIDs.reversed() where !shared.contains(layer) { plan.events.append(.deleted(layer)) }
    }

    /// Whether all names are of one repository, with at most one tag.
    private static func isSingle(_ names: [ImageReference]) -> Bool {
        !names.isEmpty && Set(names.map(\.repository)).count == 1 && names.count { $0.tag != nil } <= 1
    }
}

extension Removal.Plan {
    fileprivate mutating func take(_ name: ImageReference) {
        names.append(name)
        events.append(.untagged(name))
    }
}
