import LinuxSystem
import OCI

/// Debian's nginx on loopback ports, with a configuration and a folder of its own; one process that is killed at the end.
package final class WebServer: Sendable {
    package let folder: String
    package let ports: [Int]
    private let server: ServerProcess

    /// A line for each request: port, method, target, status, Authorization, Range.
    package var log: [String] {
        ((try? Files.readText("\(folder)/access.log")) ?? "").split(separator: "\n").map(String.init)
    }

    /// - Parameters:
    ///   - count: how many ports the configuration wants.
    ///   - servers: what stands in the `http` block, from the server's folder and the ports.
    package init(ports count: Int = 1, _ servers: (_ folder: String, _ ports: [Int]) throws -> String) throws {
        folder = try TemporaryFolder.make()
        for _ in 0..<20 {
            let ports = try ServerProcess.freePorts(count)
            let file = "\(folder)/nginx.conf"
            try Files.write(file, Array(WebServer.configuration(folder, try servers(folder, ports)).utf8))
            let server = try ServerProcess(["nginx", "-c", file, "-p", folder], log: "\(folder)/output")
            if server.listens(on: ports[0]) {
                self.ports = ports
                self.server = server
                return
            }
        }
        throw EngineError(.failed, "nginx does not start: \((try? Files.readText("\(folder)/error.log")) ?? "")")
    }

    deinit { try? Files.removeTree(folder) }

    private static func configuration(_ folder: String, _ servers: String) -> String {
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
            "\($0)_temp_path \(folder)/\($0);\n"
        }
        return """
            daemon off;
            master_process off;
            pid \(folder)/pid;
            error_log \(folder)/error.log info;
            events { worker_connections 256; }
            http {
            log_format line '$server_port $request_method $request_uri $status "$http_authorization" "$http_range"';
            access_log \(folder)/access.log line;
            \(temporary.joined())
            client_max_body_size 0;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-Proto $scheme;
            \(servers)
            }

            """
    }
}
