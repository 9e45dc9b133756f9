import CLinux

/// getenv(3)
func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

/// exit(3)
func quit(_ code: CInt) -> Never { exit(code) }
