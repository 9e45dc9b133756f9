import CLinux
import LinuxSystem

/// A seccomp filter around a command, as one around an engine that itself runs in a container: some system calls are answered
/// and not made.
package enum RefusedCalls {
    /// Their numbers; those from 424 on are the same on every machine.
    package enum Call: Int, Sendable {
        case closeRange = 436
        case openat2 = 437
        #if arch(x86_64)
            case sendmsg = 46
            case setgroups = 116
            case setresuid = 117
            case setresgid = 119
            case getdents64 = 217
        #else
            case sendmsg = 211
            case setgroups = 159
            case setresuid = 147
            case setresgid = 149
            case getdents64 = 61
        #endif
    }

    /// The words that start `command` behind the filter.
    ///
    /// - Parameters:
    ///   - code: the error number of the answer; 0 lies that it was done.
    ///   - descriptor: only calls whose first argument it is.
    ///   - folder: of the host, left open for the command under the numbers 5 and 40.
    package static func words(
        _ calls: [Call],
        answeredWith code: CInt,
        on descriptor: CInt = -1,
        leavingOpen folder: String = "",
        _ command: [String]
    ) -> [String] {
        let numbers = calls.map { "\($0.rawValue)" }.joined(separator: ",")
        return ["python3", "-c", script, "\(code)", numbers, "\(descriptor)", folder] + command
    }

    private static let script = """
        import ctypes, os, struct, sys
        code, numbers = int(sys.argv[1]), [int(n) for n in sys.argv[2].split(',') if n]
        descriptor, folder = int(sys.argv[3]), sys.argv[4]
        program = [struct.pack('HBBI', 0x20, 0, 0, 0)]
        for number in numbers:
            answer = [struct.pack('HBBI', 6, 0, 0, 0x50000 | code)]
            if descriptor >= 0:
                answer = [struct.pack('HBBI', 0x20, 0, 0, 16), struct.pack('HBBI', 0x15, 0, 1, descriptor)] + answer
                answer.append(struct.pack('HBBI', 0x20, 0, 0, 0))
            program += [struct.pack('HBBI', 0x15, 0, len(answer), number)] + answer
        program.append(struct.pack('HBBI', 6, 0, 0, 0x7fff0000))
        text = ctypes.create_string_buffer(b''.join(program))
        class Filter(ctypes.Structure): _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_void_p)]
        filter = Filter(len(program), ctypes.addressof(text))
        libc = ctypes.CDLL(None, use_errno=True)
        if folder:
            for number in (5, 40): os.dup2(os.open(folder, os.O_RDONLY | os.O_DIRECTORY), number, inheritable=True)
        for fd in range(6, 40):
            try: os.close(fd)
            except OSError: pass
        if libc.prctl(22, 2, ctypes.byref(filter), 0, 0) != 0: sys.exit('no filter: %d' % ctypes.get_errno())
        os.execvp(sys.argv[5], sys.argv[5:])
        """
}
