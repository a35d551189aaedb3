using System.CommandLine;
using System.CommandLine.Help;

namespace InterGuest.Cli.Commands;

/// <summary>The whole tree of commands.</summary>
internal static class RootCommandBuilder
{
    private static readonly string[] Examples =
    [
        "interguest port add a                    # a socket for the first guest",
        "interguest port add b                    # and one for the second",
        "interguest link add lan a b              # join them",
        "eval \"qemu-system-x86_64 $(interguest qemu a) guest.img\"",
        "interguest status                        # what flows, what is dropped, why",
    ];

    public static RootCommand Build(CliContext context)
    {
        var root = new RootCommand(
            "Ports and links of an InterGuest switch, which joins virtual machines without a bridge.");
        root.Options.Clear();
        var help = new HelpOption("--help", "-h") { Description = "Show help and examples." };
        help.Action = new HelpWithExamples((HelpAction)help.Action!, context, Examples);
        root.Add(help);
        root.Add(new VersionOption("--version")
        {
            Description = "Show the version of this program.",
            Action = new VersionAction(),
        });
        root.Add(GlobalOptions.Json());
        root.Add(GlobalOptions.Endpoint());
        root.Add(PortCommands.Create(context));
        root.Add(LinkCommands.Create(context));
        root.Add(ApplyCommand.Create(context));
        root.Add(ExportCommand.Create(context));
        root.Add(StatusCommand.Create(context));
        root.Add(TopCommand.Create(context));
        root.Add(WatchCommand.Create(context));
        root.Add(DoctorCommand.Create(context));
        root.Add(CaptureCommand.Create(context));
        root.Add(QemuCommand.Create(context));
        root.Add(LibvirtCommand.Create(context));
        root.Add(CloudHypervisorCommand.Create(context));
        root.Add(CompletionCommand.Create(context));
        root.Add(VersionCommand.Create(context));
        return root;
    }
}
