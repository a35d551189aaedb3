using System.CommandLine;
using InterGuest.Agent.Block;
using InterGuest.Agent.Guests;
using InterGuest.Agent.Nbd;

namespace InterGuest.Agent.Commands;

/// <summary>`interguest-agent attach-block`.</summary>
internal static class AttachBlockCommand
{
    private const string UnixScheme = "unix:";
    private const long MemoryBytes = (long)(AttachBlockRole.Slots + 8) * (AttachBlockRole.MaxData + Disk.PageBytes);

    private static readonly GuestOptions Guest = new();
    private static readonly Option<string> Nbd = new("--nbd") { HelpName = "unix:PATH", Description = "Where NBD clients find the disk", Required = true };

    public static Command Create(AgentContext context)
    {
        var command = new Command("attach-block",
            "Use the disk of a block port on this host: an NBD export.\n\n"
            + "  interguest-agent attach-block --port /run/interguest/ports/disk.sock --nbd unix:/tmp/disk.nbd\n"
            + "  qemu-img info nbd+unix:///?socket=/tmp/disk.nbd\n"
            + "  nbd-client -unix /tmp/disk.nbd /dev/nbd0                 # as root: a block device\n\n"
            + "While the switch or the disk's server is away, requests wait. Runs until Ctrl-C.") { Nbd };
        Guest.AddTo(command);
        command.SetAction((parsed, cancel) => RunAsync(context, parsed, cancel));
        return command;
    }

    private static async Task<int> RunAsync(AgentContext context, ParseResult parsed, CancellationToken cancel)
    {
        string nbd = parsed.GetValue(Nbd)!;
        if (!nbd.StartsWith(UnixScheme, StringComparison.Ordinal) || nbd.Length == UnixScheme.Length)
            throw new AgentException($"--nbd: '{nbd}' is not unix:PATH");
        using var guest = Guest.Make(parsed, MemoryBytes);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var loop = new RoleLoop(guest, context.Log);
        var role = new AttachBlockRole(loop.Wake);
        var running = RunAsync(loop, role, end);
        try
        {
            await role.Ready.WaitAsync(end.Token);
            await new NbdServer(Path.GetFullPath(nbd[UnixScheme.Length..]), new NbdDisk(role), context.Log).RunAsync(end.Token);
        }
        catch (OperationCanceledException)
        {
        }
        finally
        {
            await end.CancelAsync();
            await running;
        }
        return ExitCodes.Success;
    }

    /// <summary>Runs the loop; however it ends, those who wait for the disk hear of it.</summary>
    private static async Task RunAsync(RoleLoop loop, AttachBlockRole role, CancellationTokenSource end)
    {
        try
        {
            await loop.RunAsync(role, end.Token);
        }
        finally
        {
            role.End();
            await end.CancelAsync();
        }
    }
}
