/// An operating system and processor, `linux/amd64` or `linux/arm/v7` (image-spec, image-index.md#platform).
package struct Platform: Hashable, Sendable, CustomStringConvertible {
    package var os: String
    package var architecture: String
    package var variant: String?

    package init(os: String = "linux", architecture: String, variant: String? = nil) {
        self.os = os
        self.architecture = architecture
        self.variant = variant
    }

    /// What this program runs on.
    package static var host: Platform {
        #if arch(x86_64)
            Platform(architecture: "amd64")
        #elseif arch(arm64)
            Platform(architecture: "arm64", variant: "v8")
        #else
            #error("unsupported processor")
        #endif
    }

    /// Reads docker's form: `linux/amd64`, `linux/arm64/v8`, or an architecture alone.
    package init(_ text: String) throws(EngineError) {
        let parts = text.lowercased().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (1...3).contains(parts.count),
            parts.allSatisfy({ part in
                !part.isEmpty
                    && part.utf8.allSatisfy {
                        (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) || "_.-".utf8.contains($0)
                    }
            })
        else {
            throw EngineError(.invalid, "\"\(text)\" is an invalid platform specifier")
        }
        os = parts.count == 1 ? "linux" : parts[0]
        let name = parts.count == 1 ? (parts[0] == "linux" ? Platform.host.architecture : parts[0]) : parts[1]
        architecture = ["x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm"][name] ?? name
        variant = parts.count == 3 ? parts[2] : (architecture == "arm64" ? "v8" : nil)
    }

    package init(_ json: JSON) {
        os = json["os"]?.string ?? ""
        architecture = json["architecture"]?.string ?? ""
        variant = json["variant"]?.string
    }

    package var json: JSON {
        var members: [(key: String, value: JSON)] = [("architecture", .string(architecture)), ("os", .string(os))]
        if let variant { members.append(("variant", .string(variant))) }
        return .object(members)
    }

    /// Whether an image for this platform serves a request for `wanted`. A missing variant stands for the usual one
    /// (arm64: v8, amd64: v1).
    package func serves(_ wanted: Platform) -> Bool {
        func usual(_ platform: Platform) -> String? {
            if let variant = platform.variant, !variant.isEmpty { return variant }
            switch platform.architecture {
            case "arm64": return "v8"
            case "amd64": return "v1"
            case "arm": return "v7"
            default: return nil
            }
        }
        return os == wanted.os && architecture == wanted.architecture && usual(self) == usual(wanted)
    }

    package var description: String { "\(os)/\(architecture)" + (variant.map { "/\($0)" } ?? "") }
}
