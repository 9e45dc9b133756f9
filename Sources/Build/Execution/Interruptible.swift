import Images

/// Asks at every read whether the build is to end: reading a big file can take minutes.
final class InterruptibleSource: ByteSource {
    private let inner: any ByteSource
    private let interruption: () throws -> Void

    /// - Parameter interruption: throws where the build is to end.
    init(_ inner: any ByteSource, _ interruption: @escaping () throws -> Void) {
        self.inner = inner
        self.interruption = interruption
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        try interruption()
        return try inner.read(into: buffer)
    }
}

/// The same at every write: packing what a RUN has left can take as long as the RUN.
final class InterruptibleSink: ByteSink {
    private let inner: any ByteSink
    private let interruption: () throws -> Void

    init(_ inner: any ByteSink, _ interruption: @escaping () throws -> Void) {
        self.inner = inner
        self.interruption = interruption
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        try interruption()
        try inner.write(bytes)
    }
}
