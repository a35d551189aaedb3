using System.Buffers.Binary;
using InterGuest.Switch.DataPath.Block;
using InterGuest.Virtio.Queues;

namespace InterGuest.Fuzz.Model;

/// <summary>
/// What the switch does between a client of a disk and its server, written down from docs/block-serving.md and VIRTIO 1.2, 5.2.6,
/// one request and one message at a time.
/// </summary>
/// <param name="client">The client's queue.</param>
/// <param name="requests">The server's queue for what the switch asks.</param>
/// <param name="replies">The server's queue for what it says.</param>
/// <param name="clientId">By which the switch names the client in tags.</param>
/// <param name="durable">Whether the client's writes are all to be durable.</param>
internal sealed class ReferenceBlock(ReferenceEnd client, ReferenceEnd requests, ReferenceEnd replies, ushort clientId, bool durable)
{
    private const int Start = 1, Request = 2, Announce = 3, Reply = 4;
    private const int HeadBytes = 24, RequestBytes = 40, ReplyBytes = 28;

    /// <summary>How far the switch reads for headers and announcements.</summary>
    private const int MostHead = 256;

    private readonly Dictionary<ushort, ReferenceRequest> _flights = [];
    private readonly Dictionary<ushort, uint> _generations = [];
    private readonly Queue<ReferenceRequest> _waiting = [];
    private uint _sentIn;
    private bool _needsStart = true;
    private long _sequence, _writesDone, _writesFlushed;
    private bool _lostWrites;

    /// <summary>The present epoch.</summary>
    public required uint Epoch { get; set; }

    /// <summary>Announced last; null: nothing yet.</summary>
    public ReferenceDisk? Disk { get; private set; }

    /// <summary>Whether it was announced in this epoch.</summary>
    public bool IsReady { get; private set; }

    /// <summary>Whether each join has a turn to come.</summary>
    public bool RequestsActive { get; private set; }

    public bool RepliesActive { get; private set; }

    public Dictionary<BlockFault, long> ClientFaults { get; } = [];

    public Dictionary<BlockFault, long> ServerFaults { get; } = [];

    /// <summary>Requests that the client was told are done, and those that failed.</summary>
    public long Done { get; private set; }

    public long Failed { get; private set; }

    /// <summary>What the server was asked in this epoch and has not answered.</summary>
    public IEnumerable<(ReferenceRequest Request, int Part)> WithServer => _sentIn != Epoch ? [] :
        _flights.Values.OrderBy(f => f.Sequence).SelectMany(f => f.Parts.Index().Where(p => p.Item.IsSent && !p.Item.IsDone).Select(p => (f, p.Index)));

    public bool ClientHas(ushort head) => _flights.ContainsKey(head);

    /// <summary>The tag of a part of a request.</summary>
    public byte[] Tag(ReferenceRequest request, int part)
    {
        byte[] tag = new byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(tag, Epoch);
        BinaryPrimitives.WriteUInt16LittleEndian(tag.AsSpan(4), clientId);
        BinaryPrimitives.WriteUInt16LittleEndian(tag.AsSpan(8), request.Head);
        BinaryPrimitives.WriteUInt16LittleEndian(tag.AsSpan(10), (ushort)part);
        BinaryPrimitives.WriteUInt32LittleEndian(tag.AsSpan(12), request.Generation);
        return tag;
    }

    /// <summary>Turns begin: the one who has them asks for no kicks.</summary>
    public void Activate()
    {
        ActivateRequests();
        ActivateReplies();
    }

    public void ActivateRequests()
    {
        if (!RequestsActive)
            client.Queue.DisableKicks();
        RequestsActive = true;
    }

    public void ActivateReplies()
    {
        if (!RepliesActive)
            replies.Queue.DisableKicks();
        RepliesActive = true;
    }

    /// <summary>Section 4: another epoch.</summary>
    public void Restart(uint epoch)
    {
        (Epoch, _needsStart, IsReady) = (epoch, true, false);
        Activate();
    }

    /// <summary>Takes requests and asks the server, until there is no more to do.</summary>
    /// <returns>Whose ring is broken; null: nobody's.</returns>
    public ReferenceEnd? TurnRequests()
    {
        ReferenceEnd? broken = null;
        while (RequestsActive && broken == null)
            broken = StepRequests();
        client.Queue.Publish();
        requests.Queue.Publish();
        return broken;
    }

    /// <summary>Hears the server, until there is no more to do.</summary>
    public ReferenceEnd? TurnReplies()
    {
        ReferenceEnd? broken = null;
        while (RepliesActive && broken == null)
            broken = _needsStart ? SendStart() : Hear();
        client.Queue.Publish();
        replies.Queue.Publish();
        requests.Queue.Publish();
        return broken;
    }

    private ReferenceEnd? StepRequests()
    {
        if (!IsReady)
        {
            RequestsActive = false;
            return null;
        }
        if (_sentIn != Epoch)
            SendAllAgain();
        if (_waiting.Count > 0)
            return Ask(_waiting.Peek());
        var pop = client.Queue.Pop(out ushort head, out var chain);
        switch (pop)
        {
            case PopResult.Empty:
                RequestsActive = client.Queue.EnableKicks();
                return null;
            case PopResult.BadRing:
                return client;
            case PopResult.BadChain:
                client.Faults++;
                client.Queue.Use(head, 0);
                return null;
            default:
                return Take(head, chain!);
        }
    }

    private void SendAllAgain()
    {
        _sentIn = Epoch;
        _waiting.Clear();
        foreach (var request in _flights.Values.OrderBy(f => f.Sequence).ToArray())
        {
            if (request.Cut(Disk!.MaxData))
            {
                _waiting.Enqueue(request);
                continue;
            }
            Count(ClientFaults, BlockFault.RequestTooLarge);
            Finish(request, 1);
        }
    }

    private ReferenceEnd? Take(ushort head, ReferenceChain chain)
    {
        // 2.7.13: not made available again before it is used.
        if (_flights.ContainsKey(head))
        {
            client.Queue.Distrust(QueueFault.HeadInFlight);
            return client;
        }
        uint generation = _generations[head] = _generations.GetValueOrDefault(head) + 1;
        var request = new ReferenceRequest(head, chain, generation, _sequence++);
        _flights.Add(head, request);
        int? status = request.Read(Disk!, durable, _lostWrites, _writesDone);
        if (request.Fault is { } fault)
            Count(ClientFaults, fault);
        if (status == null)
        {
            _flights.Remove(head);
            client.Queue.Use(head, 0);
        }
        else if (status < 0)
        {
            _waiting.Enqueue(request);
        }
        else
        {
            EndHere(request, (byte)status);
        }
        return null;
    }

    /// <summary>Answered by the switch itself.</summary>
    private void EndHere(ReferenceRequest request, byte status)
    {
        if (request.Operation == ReferenceRequest.GetId)
            client.Arena.Write(request.Chain.Writable, Disk!.IdBytes);
        if (request.Fault == null && request.Operation == ReferenceRequest.Flush && status == 1)
            (_lostWrites, _writesFlushed) = (false, _writesDone); // it is told once
        Finish(request, status);
    }

    private ReferenceEnd? Ask(ReferenceRequest request)
    {
        int index = request.Parts.FindIndex(p => !p.IsSent);
        var part = request.Parts[index];
        int data = request.Operation == ReferenceRequest.Out ? part.Bytes : 0;
        var pop = requests.Queue.Pop(out ushort head, out var buffer);
        if (pop == PopResult.Empty)
            RequestsActive = requests.Queue.EnableKicks();
        if (pop is PopResult.Empty or PopResult.BadRing)
            return pop == PopResult.Empty ? null : requests;
        if (pop == PopResult.BadChain || buffer!.WritableBytes < RequestBytes + data)
        {
            GiveBack(requests, head);
            return null;
        }
        byte[] message = [.. Head(Request, RequestBytes, data, Tag(request, index)), .. new byte[RequestBytes - HeadBytes], .. Written(request, part)];
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(24), (ushort)request.Operation);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(26), (ushort)part.Flags);
        BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(28), part.Sectors);
        BinaryPrimitives.WriteUInt64LittleEndian(message.AsSpan(32), part.Sector);
        requests.Arena.Write(buffer.Writable, message);
        requests.Queue.Use(head, (uint)message.Length);
        part.IsSent = true;
        if (request.Parts.TrueForAll(p => p.IsSent))
            _waiting.Dequeue();
        return null;
    }

    private static byte[] Written(ReferenceRequest request, ReferencePart part) => request.Operation != ReferenceRequest.Out ? []
        : request.Chain.Read(request.Chain.Readable).AsSpan(16 + part.Offset, part.Bytes).ToArray();

    private static byte[] Head(int type, int header, int data, byte[] tag)
    {
        byte[] head = new byte[HeadBytes];
        BinaryPrimitives.WriteUInt16LittleEndian(head, (ushort)type);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(2), (ushort)header);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(4), (uint)data);
        tag.CopyTo(head, 8);
        return head;
    }

    private ReferenceEnd? SendStart()
    {
        var pop = requests.Queue.Pop(out ushort head, out var buffer);
        if (pop == PopResult.Empty)
            RepliesActive = requests.Queue.EnableKicks();
        if (pop is PopResult.Empty or PopResult.BadRing)
            return pop == PopResult.Empty ? null : requests;
        byte[] tag = [.. BitConverter.GetBytes(Epoch), .. new byte[12]];
        byte[] message = [.. Head(Start, HeadBytes, 8, tag), 1, 0, 1, 0, 0, 0, 0, 0];
        if (pop == PopResult.BadChain || buffer!.WritableBytes < message.Length)
        {
            GiveBack(requests, head);
            return null;
        }
        requests.Arena.Write(buffer.Writable, message);
        requests.Queue.Use(head, (uint)message.Length);
        _needsStart = false;
        return null;
    }

    private ReferenceEnd? Hear()
    {
        var pop = replies.Queue.Pop(out ushort head, out var chain);
        switch (pop)
        {
            case PopResult.Empty:
                RepliesActive = replies.Queue.EnableKicks();
                return null;
            case PopResult.BadRing:
                return replies;
            case PopResult.BadChain:
                replies.Faults++;
                break;
            default:
                if (Understand(chain!.Read(chain.Readable)) is { } fault)
                    Count(ServerFaults, fault);
                break;
        }
        replies.Queue.Use(head, 0);
        return null;
    }

    private BlockFault? Understand(byte[] message)
    {
        var head = message.AsSpan(0, Math.Min(message.Length, MostHead));
        if (head.Length < HeadBytes)
            return BlockFault.BadMessage;
        int type = BinaryPrimitives.ReadUInt16LittleEndian(head), header = BinaryPrimitives.ReadUInt16LittleEndian(head[2..]);
        uint data = BinaryPrimitives.ReadUInt32LittleEndian(head[4..]);
        if (type is not (Announce or Reply))
            return BlockFault.BadMessage;
        if (BinaryPrimitives.ReadUInt32LittleEndian(head[8..]) != Epoch)
            return BlockFault.StaleEpoch;
        if (type == Reply)
            return header < ReplyBytes || head.Length < ReplyBytes ? BlockFault.BadMessage : Answer(message, header, data);
        if (header < HeadBytes || data < ReferenceDisk.Bytes || head.Length < header + ReferenceDisk.Bytes)
            return BlockFault.BadMessage;
        return Learn(ReferenceDisk.Read(head.Slice(header, ReferenceDisk.Bytes)));
    }

    /// <summary>Section 3: the disk is this.</summary>
    private BlockFault? Learn(ReferenceDisk disk)
    {
        if (!disk.IsPossible || (IsReady && disk.MaxData != Disk!.MaxData) || (Disk != null && !disk.MayFollow(Disk)))
            return BlockFault.BadAnnouncement;
        // Section 6: another cache has lost what the one before had not put on the medium.
        if (Disk is { IsCached: true } before && (disk.Cache == 0 || disk.Cache != before.Cache))
            _lostWrites |= _writesDone > _writesFlushed;
        bool first = !IsReady;
        (Disk, IsReady) = (disk, true);
        if (first)
            Activate();
        return null;
    }

    private BlockFault? Answer(byte[] message, int header, uint data)
    {
        int part = BinaryPrimitives.ReadUInt16LittleEndian(message.AsSpan(18));
        var (request, index) = WithServer.FirstOrDefault(w => w.Part == part && message.AsSpan(8, 16).SequenceEqual(Tag(w.Request, w.Part)));
        if (request == null)
            return BlockFault.UnknownTag;
        uint status = BinaryPrimitives.ReadUInt32LittleEndian(message.AsSpan(24));
        byte[] said = message.Length > header ? message[header..] : [];
        long there = Math.Min(data, said.Length), wanted = request.Operation == ReferenceRequest.In && status == 0 ? request.Parts[index].Bytes : 0;
        BlockFault? fault = status > 2 ? BlockFault.BadStatus : there < wanted ? BlockFault.ShortReply : there > wanted ? BlockFault.LongReply : null;
        bool failed = fault is BlockFault.BadStatus or BlockFault.ShortReply;
        if (wanted > 0 && !failed)
            client.Arena.WriteBehind(request.Chain.Writable, request.Parts[index].Offset, said.AsSpan(0, (int)wanted));
        request.Parts[index].IsDone = true;
        if (request.Status == 0)
            request.Status = failed ? (byte)1 : (byte)status;
        if (request.Parts.TrueForAll(p => p.IsDone))
            Finish(request, request.Status);
        return fault;
    }

    /// <summary>The status is the last byte; where no data were read there are zeros. All of it is used (5.2.6).</summary>
    private void Finish(ReferenceRequest request, byte status)
    {
        var place = request.Chain.Writable;
        int data = (int)request.Chain.WritableBytes - 1;
        if (status != 0 || request.Operation is not (ReferenceRequest.In or ReferenceRequest.GetId))
            client.Arena.Write(place, new byte[data]);
        client.Arena.WriteBehind(place, data, [status]);
        client.Queue.Use(request.Head, (uint)data + 1);
        _flights.Remove(request.Head);
        Done += status == 0 ? 1 : 0;
        Failed += status == 0 ? 0 : 1;
        if (status != 0)
            return;
        if (request.Operation == ReferenceRequest.Flush)
            _writesFlushed = Math.Max(_writesFlushed, request.WritesBefore);
        else if (request.Operation is not (ReferenceRequest.In or ReferenceRequest.GetId))
            _writesDone++;
    }

    private static void GiveBack(ReferenceEnd end, ushort head)
    {
        end.Queue.Use(head, 0);
        end.Faults++;
    }

    private static void Count(Dictionary<BlockFault, long> faults, BlockFault fault) => faults[fault] = faults.GetValueOrDefault(fault) + 1;
}
