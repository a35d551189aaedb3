using System.CommandLine;
using InterGuest.Cli.Output;
using InterGuest.Cli.Qemu;
using InterGuest.Cli.Vmm;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest cloud-hypervisor`.</summary>
internal static class CloudHypervisorCommand
{
    public static CliCommand Create(CliContext context)
    {
        Argument<string> name =
            NameCompletion.OfPort(new("PORT") { Description = "The port to which the guest is attached." }, context);
        Option<string?> memory = ParsedOption.Create("--memory", "SIZE",
            "The guest's memory; without a unit, MiB. Default: 512M.",
            MemoryText.Parse, "a size: a whole number with K, M, G or T, as in 512M");
        var command = new CliCommand("cloud-hypervisor",
            "Print the arguments with which Cloud Hypervisor attaches a guest to a port.")
        {
            Remarks =
            [
                "The arguments are quoted for a shell, so use eval as below. Cloud Hypervisor",
                "gives a device up when the switch is away for more than a minute.",
                "With --json: {\"arguments\": [...]}, nothing quoted.",
            ],
            Examples =
            [
                "interguest cloud-hypervisor a",
                "eval \"cloud-hypervisor $(interguest cloud-hypervisor a) --kernel vmlinux ...\"",
            ],
        };
        command.Add(name);
        command.Add(memory);
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            var request = new GetPortRequest { Name = result.GetRequiredValue(name) };
            Port port = await client.CallAsync((c, o) => c.GetPortAsync(request, o), cancellation);
            IReadOnlyList<QemuOption> arguments = CloudHypervisorArguments.Build(port, result.GetValue(memory) ?? "512M");
            if (GlobalOptions.IsJson(result))
                context.Out.WriteLine(JsonOutput.Object(indented: true, writer =>
                {
                    writer.WriteStartArray("arguments");
                    foreach (string word in arguments.SelectMany(o => new[] { o.Flag, o.Value }))
                        writer.WriteStringValue(word);
                    writer.WriteEndArray();
                }));
            else
                context.Out.WriteLine(string.Join(" \\\n", arguments.Select(o => $"{o.Flag} {QemuText.ShellQuote(o.Value)}")));
        });
        return command;
    }
}
