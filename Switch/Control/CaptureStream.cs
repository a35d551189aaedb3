using Google.Protobuf;
using Grpc.Core;
using InterGuest.Protos.V1;
using InterGuest.Switch.DataPath.Capture;

namespace InterGuest.Switch.Control;

/// <summary>One capture of a link, from its ring to the client.</summary>
internal sealed class CaptureStream
{
    /// <summary>The longest frame that a join moves, and more.</summary>
    private const int WholeFrame = 1 << 17;

    /// <summary>What a link at full speed sends in some milliseconds.</summary>
    private const int RingBytes = 1 << 23;

    private const int BatchBytes = 1 << 18;

    /// <summary>How often an empty ring is looked at: the loop that fills it must not have to wake anybody.</summary>
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(20);

    private readonly Switchboard _board;
    private readonly CaptureRequest _request;
    private readonly CaptureRing _ring;
    private readonly int _snapLength;
    private ulong _sent;

    /// <exception cref="SwitchException">The filter is none.</exception>
    public CaptureStream(Switchboard board, CaptureRequest request)
    {
        (_board, _request) = (board, request);
        _snapLength = request.SnapLength is 0 or > WholeFrame ? WholeFrame : (int)request.SnapLength;
        try
        {
            _ring = new CaptureRing(RingBytes, _snapLength, FilterParser.Parse(request.Filter));
        }
        catch (FormatException e)
        {
            throw new SwitchException(SwitchError.Invalid, $"filter: {e.Message}");
        }
    }

    private bool IsDone => _request.Count > 0 && _sent >= _request.Count;

    /// <summary>Sends frames until the client has enough or is gone.</summary>
    /// <exception cref="RpcException">The link is gone.</exception>
    public async Task RunAsync(IServerStreamWriter<CaptureBatch> client, CancellationToken ending)
    {
        var (link, start) = await _board.InvokeAsync(() => Started(_board.StartCapture(_request.Link, _ring)));
        try
        {
            await client.WriteAsync(new CaptureBatch { Start = start }, ending);
            while (!IsDone)
            {
                // Before the ring is looked at: what came before the end is sent.
                bool removed = link.Removed;
                var batch = NextBatch();
                if (batch.Frames.Count > 0)
                    await client.WriteAsync(batch, ending);
                else if (removed)
                    throw new RpcException(new Grpc.Core.Status(StatusCode.Aborted, $"link {_request.Link} was removed"));
                else
                    await Task.Delay(Period, ending);
            }
        }
        catch (OperationCanceledException)
        {
            // The client has had enough, or the switch ends.
        }
        finally
        {
            await _board.InvokeAsync(() =>
            {
                _board.StopCapture(link, _ring);
                return true;
            });
        }
    }

    private (Link Link, CaptureStart Start) Started(Link link) => (link, new CaptureStart { Ports = { link.Ports.Select(p => p.Name) }, SnapLength = (uint)_snapLength });

    private CaptureBatch NextBatch()
    {
        var batch = new CaptureBatch();
        for (int bytes = 0; bytes < BatchBytes && !IsDone && _ring.TryRead(out var frame, out var data); bytes += data.Length)
        {
            batch.Frames.Add(new Protos.V1.CapturedFrame
            {
                Time = (frame.Ticks - DateTimeOffset.UnixEpoch.UtcTicks) * TimeSpan.NanosecondsPerTick,
                Direction = (uint)frame.Direction,
                DropReason = frame.Dropped is { } reason ? SnakeCase.Of(reason) : "",
                Length = (uint)frame.Length,
                Data = ByteString.CopyFrom(data),
            });
            _ring.Release();
            _sent++;
        }
        batch.Shed = (ulong)_ring.Shed;
        return batch;
    }
}
