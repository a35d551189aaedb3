using System.CommandLine;
using InterGuest.Cli.Output;
using InterGuest.Cli.Vmm;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest libvirt`.</summary>
internal static class LibvirtCommand
{
    public static CliCommand Create(CliContext context)
    {
        Argument<string> name =
            NameCompletion.OfPort(new("PORT") { Description = "The port to which the guest is attached." }, context);
        var domain = new Option<bool>("--domain")
        {
            Description = "Print a whole domain, to begin with: it has no disk yet.",
        };
        var command = new CliCommand("libvirt", "Print the XML with which libvirt attaches a guest to a port.")
        {
            Remarks =
            [
                "Two elements for <domain>: its memory, which the switch must be able to map,",
                "and the device, which belongs in <devices>. The user that QEMU runs as must be",
                "able to open the socket: interguest port add --socket-owner libvirt-qemu.",
                "With --json: {\"memoryBacking\": \"...\", \"device\": \"...\"}.",
            ],
            Examples =
            [
                "interguest libvirt a",
                "interguest libvirt a --domain > a.xml    # then: virsh define a.xml",
            ],
        };
        command.Add(name);
        command.Add(domain);
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            var request = new GetPortRequest { Name = result.GetRequiredValue(name) };
            Port port = await client.CallAsync((c, o) => c.GetPortAsync(request, o), cancellation);
            if (GlobalOptions.IsJson(result))
                context.Out.WriteLine(JsonOutput.Object(indented: true, writer =>
                {
                    writer.WriteString("memoryBacking", LibvirtXml.MemoryBacking().ToString());
                    writer.WriteString("device", LibvirtXml.Device(port).ToString());
                }));
            else if (result.GetValue(domain))
                context.Out.WriteLine(LibvirtXml.Domain(port).ToString());
            else
                context.Out.WriteLine($"{LibvirtXml.MemoryBacking()}\n{LibvirtXml.Device(port)}");
        });
        return command;
    }
}
