using System.Collections.Concurrent;
using InterGuest.Agent.Guests;
using InterGuest.Switch.Tests;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Tests.Fakes;

/// <summary>A guest whose devices a test has in its hand, and a role that runs on them.</summary>
internal sealed class FakeGuest(ulong offered, byte[]? configuration = null) : IGuest
{
    private readonly DriverMemory _memory = new(128 << 20, 0x1_0000_0000);
    private readonly BlockingCollection<FakeDevice> _opened = [];
    private readonly CancellationTokenSource _cancel = new();
    private Task _running = Task.CompletedTask;

    public string Name => "a fake";

    public StringWriter Log { get; } = new();

    public DriverDevice Open()
    {
        var device = new FakeDevice(_memory, offered) { Configuration = configuration ?? [] };
        _opened.Add(device);
        return device;
    }

    /// <summary>Runs a role, until the end of the test.</summary>
    public void Run(IRole role) => _running = Task.Factory.StartNew(
        () => new RoleLoop(this, new AgentLog(Log)).Run(role, _cancel.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>The next device that was opened and started.</summary>
    public async Task<FakeDevice> DeviceAsync()
    {
        var device = await Wait.ForAsync(Task.Run(() => _opened.Take()), "a device is opened");
        await Wait.ForAsync(device.Started, "the device is started");
        return device;
    }

    /// <summary>Ends the role.</summary>
    public Task EndAsync()
    {
        _cancel.Cancel();
        return Wait.ForAsync(_running, "the role ends");
    }

    public void Dispose()
    {
        EndAsync().GetAwaiter().GetResult();
        _memory.Dispose();
        _cancel.Dispose();
        _opened.Dispose();
    }
}
