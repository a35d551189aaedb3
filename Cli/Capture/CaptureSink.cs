using InterGuest.Cli.Output;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Capture;

/// <summary>What becomes of captured frames.</summary>
internal interface ICaptureSink
{
    void Take(CaptureBatch batch);
}

/// <summary>Writes them as pcapng.</summary>
internal sealed class PcapngSink(Stream output, string application) : ICaptureSink, IDisposable
{
    private readonly PcapngWriter _writer = new(output);
    private ulong _shed;
    private CapturedFrame? _last;

    public void Take(CaptureBatch batch)
    {
        if (batch.Start is { } start)
            _writer.Begin(application, start.Ports.Select((from, i) => $"{from} to {start.Ports[1 - i]}").ToList(), start.SnapLength);
        foreach (CapturedFrame frame in batch.Frames)
        {
            // The batch says how many were left out before its end: the first frame of it bears them.
            ulong missed = batch.Shed - _shed;
            _shed = batch.Shed;
            _writer.Frame(frame.Direction, frame.Time, frame.Length, frame.Data.Span, frame.DropReason.Length > 0 ? $"dropped: {frame.DropReason}" : null, missed);
            _last = frame;
        }
        output.Flush();
    }

    /// <summary>Ends the file.</summary>
    public void Dispose()
    {
        if (_last is { } last)
            _writer.Finish(last.Direction, last.Time, _shed);
        output.Flush();
        _writer.Dispose();
    }
}

/// <summary>Shows a line for each.</summary>
internal sealed class LineSink(CliContext context, bool json) : ICaptureSink
{
    private IReadOnlyList<string> _ports = [];

    public void Take(CaptureBatch batch)
    {
        if (batch.Start is { } start)
            _ports = start.Ports;
        foreach (CapturedFrame frame in batch.Frames)
            context.Screen.WriteLine(json ? JsonOutput.Line(frame) : Line(frame));
    }

    private string Line(CapturedFrame frame)
    {
        DateTimeOffset time = TimeZoneInfo.ConvertTime(DateTimeOffset.UnixEpoch.AddTicks(frame.Time / 100), context.Zone);
        string way = $"{_ports.ElementAtOrDefault((int)frame.Direction)} > {_ports.ElementAtOrDefault(1 - (int)frame.Direction)}";
        string lost = frame.DropReason.Length > 0 ? $"  dropped: {frame.DropReason}" : "";
        return Words.Clean($"{time:HH:mm:ss.ffffff}  {way}  {frame.Length} bytes  {FrameSummary.Of(frame.Data.Span)}{lost}");
    }
}
