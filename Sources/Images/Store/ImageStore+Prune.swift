import LinuxSystem
import OCI

extension ImageStore {
    /// Takes images out of index.json whose content a collection then removes.
    ///
    /// - Parameters:
    ///   - all: also those that have tags; otherwise only those that lost their last one, also if a digest is left of it.
    ///   - isWanted: whether the filters let an image go.
    ///   - inUse: whether a container was made of the image with this id. Such an image stays.
    /// - Returns: what went, as `image prune` prints it.
    package func prune(all: Bool, isWanted: (StoredImage) -> Bool, inUse: (Digest) -> Bool) throws -> [RemovalEvent] {
        try updateIndex { index in
            let images = images(in: index)
            let (gone, kept) = images.split { image in
                (all || image.tags.isEmpty) && !inUse(image.id) && isWanted(image)
            }
            var seen = Set(kept.flatMap(\.chainIDs))
            var events: [RemovalEvent] = []
            for image in gone {
                for name in image.references {
                    index.remove(name)
                    events.append(.untagged(name))
                }
                removeNameless(image.id, from: &index)
                events.append(.deleted(image.id))
                for layer in image.chainIDs.reversed() where seen.insert(layer).inserted {
                    events.append(.deleted(layer))
                }
            }
            return events
        }
    }
}

extension Array {
    fileprivate func split(_ isFirst: (Element) -> Bool) -> (first: [Element], second: [Element]) {
        (filter(isFirst), filter { !isFirst($0) })
    }
}
