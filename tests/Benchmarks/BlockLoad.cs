using System.Diagnostics;
using System.Globalization;
using InterGuest.Agent.Block;
using InterGuest.Agent.Guests;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Transport;

namespace InterGuest.Benchmarks;

/// <summary>A client of a vhost-user block device that keeps so many requests of one kind on their way, and counts them.</summary>
/// <param name="operation">IN or OUT.</param>
/// <param name="bytes">Of a request.</param>
/// <param name="depth">Requests on their way.</param>
/// <param name="isRandom">Anywhere; otherwise one after the other.</param>
/// <param name="duration">For which it counts, after a quarter of it in which it does not.</param>
internal sealed class BlockLoad(BlockOperation operation, int bytes, int depth, bool isRandom, TimeSpan duration) : IRole
{
    private const int PageBytes = 4096;

    private readonly byte[] _pattern = new byte[bytes];
    private readonly Stopwatch _time = new();
    private readonly Random _random = new(1);
    private BlockDriver? _driver;
    private long _blocks;
    private long _next;
    private long _done;
    private long _doneBefore;

    /// <inheritdoc/>
    public bool IsDone { get; private set; }

    /// <summary>Requests that failed.</summary>
    public long Failed { get; private set; }

    /// <inheritdoc/>
    public ulong Wanted => BlockDriver.Wanted;

    private double RequestsPerSecond => (_done - _doneBefore) / duration.TotalSeconds;

    /// <summary>Runs on a device until it is done, and prints the requests per second.</summary>
    /// <param name="arguments">SOCKET, read or write, random or sequential, BYTES, DEPTH, SECONDS.</param>
    public static int Run(string[] arguments)
    {
        double[] numbers = [.. arguments.Skip(3).Select(a => double.Parse(a, CultureInfo.InvariantCulture))];
        var load = new BlockLoad(
            arguments[1] == "write" ? BlockOperation.Out : BlockOperation.In, (int)numbers[0], (int)numbers[1], arguments[2] == "random", TimeSpan.FromSeconds(numbers[2]));
        using var guest = new ProcessGuest(arguments[0], 256 << 20, roundsBit: null);
        new RoleLoop(guest, new Agent.AgentLog(TextWriter.Null)).Run(load, CancellationToken.None);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{load.RequestsPerSecond:F0}"));
        return load.Failed == 0 ? 0 : 1;
    }

    /// <inheritdoc/>
    public void Start(DriverDevice device)
    {
        _driver = new BlockDriver(device, depth, (bytes + PageBytes - 1) / PageBytes * PageBytes);
        _blocks = (long)_driver.ReadGeometry().Bytes / bytes;
        _time.Restart();
    }

    /// <inheritdoc/>
    public bool Work()
    {
        bool worked = false;
        for (; _driver!.TryComplete(out int slot, out var status); worked = true)
        {
            Failed += status == BlockStatus.Ok ? 0 : 1;
            _done++;
            _driver.Free(slot);
        }
        for (; _driver.HasRoom; worked = true)
            Send();
        _driver.Flush();
        LookAtTime();
        return worked;
    }

    /// <inheritdoc/>
    public int Arm() => _driver!.Arm() ? 0 : -1;

    /// <inheritdoc/>
    public void Stop() => _driver = null;

    private void Send()
    {
        long block = isRandom ? _random.NextInt64(_blocks) : _next++ % _blocks;
        var request = new BlockRequest(operation, (ulong)(block * bytes) / BlockRequest.SectorBytes);
        if (operation == BlockOperation.Out)
            _driver!.Send(request, _pattern, 0);
        else
            _driver!.Send(request, [], bytes);
    }

    private void LookAtTime()
    {
        var elapsed = _time.Elapsed;
        if (_doneBefore == 0 && elapsed > duration / 4)
        {
            _doneBefore = _done;
            _time.Restart();
        }
        else if (_doneBefore != 0 && elapsed > duration)
            IsDone = true;
    }
}
