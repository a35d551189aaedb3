using InterGuest.Interop.Tests.Harness;
using InterGuest.Protos.V1;

namespace InterGuest.Interop.Tests.Block;

/// <summary>A switch, disks that agents serve, and a VM that has them: the first is /dev/vda.</summary>
internal sealed class DiskRig : IAsyncDisposable
{
    private readonly List<AgentProcess> _agents = [];
    private readonly List<string> _ports = [];

    private DiskRig(SwitchProcess process) => (Switch, Client) = (process, new Vm("client", process.Directory) { Guest = "guest-disks" });

    public SwitchProcess Switch { get; }

    public Vm Client { get; }

    public static async Task<DiskRig> CreateAsync()
    {
        await Repository.BuildDiskGuestAsync();
        return new DiskRig(await SwitchProcess.StartNewAsync());
    }

    /// <summary>The image of a disk.</summary>
    public string Image(string disk) => Path.Combine(Switch.Directory, disk + ".raw");

    /// <summary>A port for a disk, one for its server, and their link.</summary>
    /// <returns>The socket for the server.</returns>
    public async Task<string> LinkAsync(string disk, int queues = 1)
    {
        await Switch.CliAsync("port", "add", disk, "--type", "block", "--queues", $"{queues}");
        string socket = await Switch.CliAsync("port", "add", disk + "-store", "--type", "block-server");
        await Switch.CliAsync("link", "add", disk + "-link", disk, disk + "-store");
        _ports.Add(disk);
        return socket;
    }

    /// <summary>A disk, served by a process.</summary>
    /// <param name="disk">Its name: of its port and of its image, which is made unless it is there.</param>
    /// <param name="bytes">Its size.</param>
    /// <param name="queues">Of the client's device.</param>
    /// <param name="options">More for serve-block.</param>
    public async Task<AgentProcess> ServeAsync(string disk, long bytes, int queues = 1, params string[] options)
    {
        string socket = await LinkAsync(disk, queues);
        await using (var image = new FileStream(Image(disk), FileMode.OpenOrCreate))
            image.SetLength(bytes);
        var agent = await AgentProcess.StartAsync(["serve-block", "--port", socket, "--image", Image(disk), .. options]);
        _agents.Add(agent);
        await KnownAsync(disk);
        return agent;
    }

    /// <summary>Waits until a disk was announced, so that a client may connect.</summary>
    public Task KnownAsync(string disk) => Switch.PortBecomesAsync(disk, PortState.Listening);

    /// <summary>A port of another kind for the client, and the agent at the other end of its link.</summary>
    public async Task AttachAsync(string name, string type, string otherType, string role)
    {
        await Switch.CliAsync("port", "add", name, "--type", type);
        string socket = await Switch.CliAsync("port", "add", name + "-end", "--type", otherType);
        await Switch.CliAsync("link", "add", name + "-link", name, name + "-end");
        _agents.Add(await AgentProcess.StartAsync(role, "--port", socket));
        _ports.Add(name);
    }

    /// <summary>What QEMU needs for all of the ports.</summary>
    public async Task<string[]> QemuArgumentsAsync()
    {
        string[] first = await Switch.QemuArgumentsAsync(_ports[0], "384M");
        var more = await Task.WhenAll(_ports.Skip(1).Select(p => Switch.QemuArgumentsAsync(p)));
        return [.. first, .. more.SelectMany(DevicesOf)];
    }

    /// <summary>Boots the client with all of them.</summary>
    public async Task BootAsync()
    {
        await Client.StartAsync(await QemuArgumentsAsync());
        await Client.WaitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        foreach (var agent in _agents)
            await agent.DisposeAsync();
        await Switch.DisposeAsync();
    }

    private static IEnumerable<string> DevicesOf(string[] arguments) => arguments
        .Chunk(2).Where(a => a[0] is "-chardev" or "-device").SelectMany(a => a);
}
