import CLinux

// The C library's calls that take paths, for texts that stand for bytes (`ByteText.swift`). Swift takes these before C's own
// wherever the path is a `String`; C's own remain for names that are bytes already. A call with a path that is missing here would
// hand the text on as it is: Scripts/lint looks for such.

@discardableResult
package func mkdir(_ path: String, _ mode: mode_t) -> CInt { path.withRawCString { CLinux.mkdir($0, mode) } }

@discardableResult
package func rmdir(_ path: String) -> CInt { path.withRawCString { CLinux.rmdir($0) } }

@discardableResult
package func unlink(_ path: String) -> CInt { path.withRawCString { CLinux.unlink($0) } }

@discardableResult
package func rename(_ old: String, _ new: String) -> CInt {
    old.withRawCString { old in new.withRawCString { CLinux.rename(old, $0) } }
}

@discardableResult
package func link(_ old: String, _ new: String) -> CInt {
    old.withRawCString { old in new.withRawCString { CLinux.link(old, $0) } }
}

@discardableResult
package func symlink(_ target: String, _ path: String) -> CInt {
    target.withRawCString { target in path.withRawCString { CLinux.symlink(target, $0) } }
}

@discardableResult
package func chmod(_ path: String, _ mode: mode_t) -> CInt { path.withRawCString { CLinux.chmod($0, mode) } }

@discardableResult
package func chown(_ path: String, _ owner: uid_t, _ group: gid_t) -> CInt {
    path.withRawCString { CLinux.chown($0, owner, group) }
}

@discardableResult
package func lchown(_ path: String, _ owner: uid_t, _ group: gid_t) -> CInt {
    path.withRawCString { CLinux.lchown($0, owner, group) }
}

@discardableResult
package func chdir(_ path: String) -> CInt { path.withRawCString { CLinux.chdir($0) } }

@discardableResult
package func utimensat(_ directory: CInt, _ path: String, _ times: UnsafePointer<timespec>?, _ flags: CInt) -> CInt {
    path.withRawCString { CLinux.utimensat(directory, $0, times, flags) }
}

@discardableResult
package func umount2(_ path: String, _ flags: CInt) -> CInt { path.withRawCString { CLinux.umount2($0, flags) } }

package func linux_openat(_ directory: CInt, _ path: String, _ flags: CInt, _ mode: mode_t) -> CInt {
    path.withRawCString { CLinux.linux_openat(directory, $0, flags, mode) }
}

package func linux_link_descriptor(_ descriptor: CInt, _ directory: CInt, _ name: String) -> CInt {
    name.withRawCString { CLinux.linux_link_descriptor(descriptor, directory, $0) }
}

package func linux_open_protected_program(_ path: String) -> CInt {
    path.withRawCString { CLinux.linux_open_protected_program($0) }
}

package func linux_listen(_ path: String, _ type: CInt) -> CInt {
    path.withRawCString { CLinux.linux_listen($0, type) }
}

package func linux_connect(_ path: String, _ type: CInt) -> CInt {
    path.withRawCString { CLinux.linux_connect($0, type) }
}

package func inotify_add_watch(_ descriptor: CInt, _ path: String, _ mask: UInt32) -> CInt {
    path.withRawCString { CLinux.inotify_add_watch(descriptor, $0, mask) }
}
