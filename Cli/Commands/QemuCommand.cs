using System.CommandLine;
using InterGuest.Cli.Output;
using InterGuest.Cli.Qemu;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest qemu`.</summary>
internal static class QemuCommand
{
    public static CliCommand Create(CliContext context)
    {
        Argument<string> name =
            NameCompletion.OfPort(new("PORT") { Description = "The port to which the guest is attached." }, context);
        var options = new QemuOptions();
        var command = new CliCommand("qemu",
            "Print the arguments with which QEMU attaches a guest to a port.")
        {
            Remarks =
            [
                "The arguments are quoted for a shell, so use eval as below. They set the",
                "guest's memory (-m), which the switch must be able to map, and -accel.",
                "With --json: {\"arguments\": [...], \"notes\": [...]}, nothing quoted.",
            ],
            Examples =
            [
                "interguest qemu a",
                "eval \"qemu-system-x86_64 $(interguest qemu a --memory 2G) guest.img\"",
                "interguest qemu a --accel tcg            # when /dev/kvm does not work",
                "interguest qemu a --plain-frames         # for a guest that uses XDP",
                "interguest qemu a --json | jq -r '.arguments[]'",
            ],
        };
        command.Add(name);
        options.AddTo(command);
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            var request = new GetPortRequest { Name = result.GetRequiredValue(name) };
            Port port = await client.CallAsync((c, o) => c.GetPortAsync(request, o), cancellation);
            (QemuSettings settings, IReadOnlyList<QemuNote> notes) = await options.SettingsAsync(result, cancellation);
            IReadOnlyList<QemuOption> arguments = QemuArguments.Build(port, settings);
            if (GlobalOptions.IsJson(result))
                WriteJson(context, arguments, notes);
            else
                Write(context, arguments, notes);
        });
        return command;
    }

    private static void Write(CliContext context, IReadOnlyList<QemuOption> arguments, IReadOnlyList<QemuNote> notes)
    {
        foreach (QemuNote note in notes)
            if (note.Always || context.ErrorIsTerminal)
                context.Error.WriteLine($"interguest: note: {note.Text}");
        context.Out.WriteLine(string.Join(" \\\n",
            arguments.Select(option => $"{option.Flag} {QemuText.ShellQuote(option.Value)}")));
    }

    private static void WriteJson(
        CliContext context, IReadOnlyList<QemuOption> arguments, IReadOnlyList<QemuNote> notes) =>
        context.Out.WriteLine(JsonOutput.Object(indented: true, writer =>
        {
            writer.WriteStartArray("arguments");
            foreach (QemuOption option in arguments)
            {
                writer.WriteStringValue(option.Flag);
                writer.WriteStringValue(option.Value);
            }
            writer.WriteEndArray();
            writer.WriteStartArray("notes");
            foreach (QemuNote note in notes)
                writer.WriteStringValue(note.Text);
            writer.WriteEndArray();
        }));
}
