using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.DataPath.Block;

/// <summary>The end of a request: its status, and every byte that it asked for, written (VIRTIO 1.2, 5.2.6).</summary>
internal static class Completion
{
    private static readonly byte[] Zeros = new byte[4096];

    /// <summary>Ends a request whose data, if the status is good, are in its chain already.</summary>
    public static void End(ClientQueue queue, Flight flight, BlockStatus status)
    {
        var client = queue.Client;
        client.Took(flight.PartsOut, flight.BytesOut);
        if (flight.IsSpoilt)
        {
            queue.Finish(flight, 0);
            return;
        }
        var place = flight.Chain.Writable;
        ulong data = place.Remaining - 1;
        bool hasData = status == BlockStatus.Ok && flight.Operation is BlockOperation.In or BlockOperation.GetId;
        if (hasData)
            place.Advance(data);
        else
            for (ulong left = data; left > 0; left -= Math.Min(left, (ulong)Zeros.Length))
                place.Write(Zeros.AsSpan(0, (int)Math.Min(left, (ulong)Zeros.Length)));
        place.Write([(byte)status]);
        client.Counters.Done(flight.Operation, flight.DataBytes, status);
        client.Counters.Latency.Took(flight.Began);
        if (status == BlockStatus.Ok)
            Note(client, flight);
        queue.Finish(flight, (uint)(data + 1));
    }

    private static void Note(BlockClient client, Flight flight)
    {
        if (flight.Operation == BlockOperation.Flush)
            client.FlushDone(flight.WritesBefore);
        else if (flight.Operation != BlockOperation.In && flight.Operation != BlockOperation.GetId)
            client.WriteDone();
    }
}
