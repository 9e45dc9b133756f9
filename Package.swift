// swift-tools-version: 6.2
import PackageDescription

// One settings array for every Swift target: a difference between targets would be a surprise.
let swift: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

// All C runs as root, on what somebody else has written: what the compiler has to offer against mistakes in it. Optimized in debug
// builds too: the checks need it, and the tests unpack real images.
let c: [CSetting] = [
    .define("_GNU_SOURCE"),
    .unsafeFlags([
        "-std=gnu11", "-O2", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3", "-fstack-protector-strong", "-fno-common",
        "-Wall",
        "-Wextra", "-Wshadow", "-Wconversion", "-Wvla", "-Wformat=2", "-Wmissing-prototypes", "-Wstrict-prototypes",
    ]),
]

// The shim is linked without the Swift runtime and without shared libraries: it runs between the host and the
// container, where neither a loader nor a search path may be trusted. SwiftPM links every executable with the Swift
// driver, hence -nostartfiles (the driver would add Swift's own start object). Not position-independent: SwiftPM gives every
// executable a run path, and a static program of that kind ends in glibc's start by SIGSEGV where it has one.
let staticShim: [LinkerSetting] = [.unsafeFlags(["-nostartfiles", "-static-executable"])]

let package = Package(
    name: "minirun",
    products: [
        .executable(name: "minirun", targets: ["minirun"]),
        .executable(name: "minirun-shim", targets: ["minirun-shim"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.81.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.30.0"),
    ],
    targets: [
        // A target imports only targets that stand above it in this list; Scripts/lint checks that.
        .target(name: "CLinux", cSettings: c),
        .target(name: "LaunchPlan", cSettings: c),
        .target(name: "CDescriptors", cSettings: c),
        .target(name: "CInflate", cSettings: c),
        .target(name: "CSHA256", cSettings: c),
        .executableTarget(
            name: "minirun-shim",
            dependencies: ["CDescriptors", "LaunchPlan"],
            cSettings: c,
            linkerSettings: staticShim
        ),
        .target(name: "LinuxSystem", dependencies: ["CDescriptors", "CLinux"], swiftSettings: swift),
        .target(name: "OCI", dependencies: ["LinuxSystem"], swiftSettings: swift),
        .target(
            name: "Runtime",
            dependencies: ["LaunchPlan", "LinuxSystem", "OCI"],
            swiftSettings: swift,
            linkerSettings: [.linkedLibrary("seccomp"), .linkedLibrary("cap")]
        ),
        .target(
            name: "Images",
            dependencies: [
                "CInflate", "CSHA256", "LinuxSystem", "OCI", .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: swift,
            linkerSettings: [
                .linkedLibrary("z"), .linkedLibrary("zstd"), .linkedLibrary("bz2"), .linkedLibrary("lzma"),
            ]
        ),
        // The one target that is asynchronous, and the one that speaks HTTP.
        .target(
            name: "Registry",
            dependencies: [
                "Images", "OCI", "LinuxSystem",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: swift
        ),
        .target(
            name: "Runner",
            dependencies: ["Registry", "Images", "Runtime", "OCI", "LinuxSystem"],
            swiftSettings: swift
        ),
        .target(
            name: "Build",
            dependencies: ["Runner", "Registry", "Images", "Runtime", "OCI", "LinuxSystem"],
            swiftSettings: swift
        ),
        .executableTarget(
            name: "minirun",
            dependencies: ["Build", "Runner", "Registry", "Images", "Runtime", "OCI", "LinuxSystem"],
            swiftSettings: swift
        ),
        .testTarget(name: "OCITests", dependencies: ["LinuxSystem", "OCI"], swiftSettings: swift),
        .testTarget(name: "LinuxSystemTests", dependencies: ["LinuxSystem", "CLinux"], swiftSettings: swift),
        .testTarget(
            name: "RuntimeTests",
            dependencies: ["Runtime", "LaunchPlan", "LinuxSystem", "OCI"],
            swiftSettings: swift
        ),
        .testTarget(
            name: "RunnerTests",
            dependencies: ["CLinux", "Images", "LinuxSystem", "Runner", "Runtime", "OCI"],
            swiftSettings: swift
        ),
        // Layers that come from bytes, and an EROFS reader that shares nothing with the writer: for tests and for the fuzzer.
        .target(
            name: "LayerSamples",
            dependencies: ["CLinux", "Images", "LinuxSystem", "OCI"],
            path: "Tests/LayerSamples",
            swiftSettings: swift
        ),
        .testTarget(
            name: "ImagesTests",
            dependencies: ["LayerSamples", "Images", "LinuxSystem", "OCI"],
            swiftSettings: swift
        ),
        .testTarget(
            name: "RegistryTests",
            dependencies: ["Registry", "TestSupport", "Images", "LinuxSystem", "OCI"],
            exclude: ["Servers"],
            swiftSettings: swift
        ),
        .testTarget(
            name: "BuildTests",
            dependencies: ["Build", "Runner", "Images", "LinuxSystem", "OCI"],
            swiftSettings: swift
        ),
        // The real programs, as root, where MINIRUN_BLACKBOX is set.
        .target(
            name: "TestSupport",
            dependencies: ["LinuxSystem", "OCI"],
            path: "Tests/TestSupport",
            swiftSettings: swift,
            linkerSettings: [.linkedLibrary("seccomp")]
        ),
        .testTarget(
            name: "BlackBoxTests",
            dependencies: ["TestSupport", "LinuxSystem", "OCI"],
            swiftSettings: swift
        ),
        // An OCI runtime (ours, or the one that MINIRUN_OCI names) against the specification, and beside Debian's.
        .testTarget(
            name: "ConformanceTests",
            dependencies: ["TestSupport", "LinuxSystem", "OCI", "CLinux"],
            swiftSettings: swift
        ),
        // Debian's podman, dockerd and containerd with that runtime in them.
        .testTarget(
            name: "PeerTests",
            dependencies: ["TestSupport", "LinuxSystem", "OCI", "CLinux"],
            swiftSettings: swift
        ),
        // Any engine and any OCI runtime, ours without more ado, against the flaws of others.
        .testTarget(
            name: "AttackTests",
            dependencies: ["TestSupport", "LinuxSystem", "OCI", "CLinux"],
            swiftSettings: swift
        ),
        .testTarget(
            name: "CommandTests",
            dependencies: ["minirun", "Build", "Runner", "Registry", "Images", "LinuxSystem", "OCI"],
            swiftSettings: swift
        ),
    ],
    swiftLanguageModes: [.v6]
)

// libFuzzer's program (Scripts/fuzz): its `main` is the fuzzer's, so that an ordinary build could not link it.
if Context.environment["MINIRUN_FUZZ"] != nil {
    // Of these two only what reads other people's bytes: everything is built with the fuzzer's instrumentation, and an HTTP
    // client with its TLS would take longer than all the rest.
    package.targets.removeAll { ["Build", "Registry"].contains($0.name) }
    package.targets += [
        .target(name: "Build", dependencies: ["OCI", "LinuxSystem"], exclude: ["Execution"], swiftSettings: swift),
        .target(
            name: "Registry",
            dependencies: ["OCI", "LinuxSystem"],
            exclude: ["Credentials/RegistryLogin.swift"],
            sources: ["Configuration", "Credentials", "Headers", "Client/WebURL.swift"],
            swiftSettings: swift
        ),
        .executableTarget(
            name: "minirun-fuzz",
            dependencies: ["Build", "Registry", "LayerSamples", "Images", "OCI", "LinuxSystem", "CLinux"],
            path: "Tests/Fuzz",
            exclude: ["corpora"],
            swiftSettings: swift + [.unsafeFlags(["-parse-as-library"])]
        ),
    ]
    package.products.append(.executable(name: "minirun-fuzz", targets: ["minirun-fuzz"]))
}
