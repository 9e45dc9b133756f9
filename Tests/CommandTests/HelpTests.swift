import LinuxSystem
import Testing

@testable import minirun

@Suite struct HelpTests {
    private func help(_ line: String..., width: Int = 80) throws -> String {
        guard case .text(let text, _) = try SampleTable.table().parse(line, width: { width }) else { return "" }
        return text
    }

    @Test func ofAVerb() throws {
        #expect(
            try help("rmi", "--help") == """
                Usage:  minirun rmi [OPTIONS] IMAGE [IMAGE...]

                Remove one or more images

                Aliases:
                  minirun image rm, minirun image remove, minirun rmi

                Options:
                  -f, --force      Force removal of the image
                      --no-prune   Do not delete untagged parents

                """
        )
    }

    /// The layout is docker 28.2.2's for the same options.
    @Test func wrapsTexts() throws {
        #expect(
            try help("container", "list", "--help") == """
                Usage:  minirun container ls [OPTIONS]

                List containers

                Aliases:
                  minirun container ls, minirun container list, minirun container ps, minirun ps

                Options:
                  -a, --all             Show all containers (default shows just running)
                  -f, --filter filter   Filter output based on conditions provided
                      --format string   Format output using a custom template:
                                        'table':            Print output in table format
                                        with column headers (default)
                                        'table TEMPLATE':   Print output in table format
                                        using the given Go template
                                        'json':             Print in JSON format
                                        'TEMPLATE':         Print output using the given
                                        Go template.
                  -n, --last int        Show n last created containers (includes all
                                        states) (default -1)
                  -l, --latest          Show the latest created container (includes all
                                        states)
                      --no-trunc        Don't truncate output
                  -q, --quiet           Only display container IDs
                  -s, --size            Display total file sizes

                """
        )
        #expect(try help("ps", "--help", width: 200).contains("(includes all states) (default -1)\n"))
        #expect(try help("ps", "--help", width: 30).contains("(includes all states) (default -1)\n"))
    }

    @Test func showsDefaultsAndOptionalValues() throws {
        let text = try help("run", "--help", width: 200)
        #expect(
            text.contains("      --explain[=json]             Print what would be done, step by step, and do nothing\n")
        )
        #expect(text.contains("(\"always\", \"missing\", \"never\") (default \"missing\")\n"))
        #expect(text.contains("Proxy received signals to the process (default true)\n"))
        #expect(!text.contains("--net "))
    }

    @Test func ofAGroup() throws {
        #expect(
            try help("builder") == """
                Usage:  minirun builder COMMAND

                Manage builds

                Commands:
                  build       Build an image from a Dockerfile
                  prune       Remove build cache

                Run 'minirun builder COMMAND --help' for more information on a command.

                """
        )
    }

    @Test func ofTheProgram() throws {
        #expect(
            try help("--help") == """
                Usage:  minirun [OPTIONS] COMMAND

                A daemonless engine for containers

                Common Commands:
                  run         Create and run a new container from an image
                  ps          List containers
                  build       Build an image from a Dockerfile
                  pull        Download an image from a registry
                  push        Upload an image to a registry
                  images      List images
                  login       Authenticate to a registry
                  logout      Log out from a registry
                  search      Search Docker Hub for images
                  version     Show the version information
                  info        Display system-wide information

                Management Commands:
                  builder     Manage builds
                  buildx      Manage builds
                  container   Manage containers
                  image       Manage images
                  manifest    Show image manifests
                  system      Manage minirun

                Commands:
                  completion  Print a completion script for a shell
                  create      Create a new container
                  history     Show the history of an image
                  import      Import the contents from a tarball to create a filesystem image
                  inspect     Return low-level information on containers and images
                  kill        Kill one or more running containers
                  load        Load an image from a tar archive or STDIN
                  oci         Run a command of the OCI runtime, as minirun-oci does
                  rm          Remove one or more containers
                  rmi         Remove one or more images
                  save        Save one or more images to a tar archive (streamed to STDOUT by default)
                  start       Start one or more stopped containers
                  stop        Stop one or more running containers
                  tag         Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE
                  wait        Block until one or more containers stop, then print their exit codes

                Global Options:
                  -D, --debug                   Enable debug mode
                  -l, --log-level string        Set the logging level ("debug", "info",
                                                "warn", "error", "fatal") (default "info")
                      --root string             Where images and containers live (default
                                                MINIRUN_ROOT, or "/var/lib/minirun")
                      --state string            Where running containers' state lives
                                                (default MINIRUN_STATE, or "/run/minirun")
                      --storage-driver string   What new layers become (default
                                                MINIRUN_STORAGE_DRIVER, or "dir")
                  -v, --version                 Print version information and quit

                Run 'minirun COMMAND --help' for more information on a command.

                """
        )
    }

    /// A script holds nothing of the table: it asks the program.
    @Test(arguments: ["bash", "zsh", "fish"]) func completionScripts(_ shell: String) throws {
        let script = try help("completion", shell)
        #expect(script.contains("__complete") && script.contains("minirun") && !script.contains("sig-proxy"))
        #expect(try help("completion", "--help").hasPrefix("Usage:  minirun completion bash|fish|zsh\n"))
        #expect(try help("help", "completion") == help("completion", "-h"))
    }
}
