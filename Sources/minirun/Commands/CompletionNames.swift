import Images
import LinuxSystem
import OCI
import Runner

/// The names that a shell offers, as far as the caller may read them. It is asked at every press of a key: nothing is mended or
/// waited for, and what fails is no name.
enum CompletionNames {
    static func all(_ kind: ValueKind, _ globals: GlobalOptions) -> [String] {
        switch kind {
        case .image: images(globals)
        case .container: containers(globals)
        default: []
        }
    }

    private static func images(_ globals: GlobalOptions) -> [String] {
        let root = Installation.root(globals)
        // Opening a store would make it.
        guard FileStatus.exists("\(root)/version"),
            let store = try? ImageStore(root: root, mounts: "\(Installation.state(globals))/layers"),
            let images = try? store.images()
        else { return [] }
        return Set(images.flatMap(\.references).filter { $0.digest == nil }.map(\.familiar)).sorted()
    }

    private static func containers(_ globals: GlobalOptions) -> [String] {
        let store = ContainerStore(root: Installation.root(globals), state: Installation.state(globals))
        return ((try? store.all()) ?? []).map(\.name).sorted()
    }
}
