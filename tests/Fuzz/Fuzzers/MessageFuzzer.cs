using System.Buffers.Binary;
using InterGuest.Fuzz.Engine;
using InterGuest.Fuzz.Guests;
using InterGuest.Fuzz.Model;
using InterGuest.Testing;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Fuzz.Fuzzers;

/// <summary>
/// A front-end on the socket of a port of a real switch: a proper session with fields, sizes, flags and descriptors changed,
/// sent in parts, cut off anywhere. The answers must be those of the model, byte count for byte count; afterwards no
/// descriptor and no mapping is left, and other guests' frames arrive.
/// </summary>
public sealed class MessageFuzzer : IFuzzer
{
    internal const string FuzzerName = "messages";
    private const uint GetFeatures = 1, GetProtocolFeatures = 15;

    private readonly FuzzedSwitch _switch = new();
    private readonly ulong _offeredProtocol;

    /// <summary>Starts the switch.</summary>
    public MessageFuzzer()
    {
        using var wire = new Wire(_switch.Socket);
        wire.Send(new RawMessage(GetProtocolFeatures, 1, 0, [], 0), [], 1);
        _offeredProtocol = BinaryPrimitives.ReadUInt64LittleEndian(wire.Reply().AsSpan(12));
    }

    /// <inheritdoc/>
    public string Name => FuzzerName;

    /// <inheritdoc/>
    public void Run(Input input, Tally tally)
    {
        using (var frontEnd = new HostileFrontEnd(input))
        {
            using (var wire = new Wire(_switch.Socket))
                Talk(input, tally, frontEnd, wire);
        }
        // Who has gone may not have been accepted yet. Front-ends are served one after the other: once the next one is, it was.
        using (var next = new Wire(_switch.Socket))
            CheckAlive(next);
        tally.Count("frames and bad chains taken from rings of hostile front-ends", _switch.CheckAfter());
    }

    /// <inheritdoc/>
    public void Dispose() => _switch.Dispose();

    private void Talk(Input input, Tally tally, HostileFrontEnd frontEnd, Wire wire)
    {
        var model = new ReferenceSession(_offeredProtocol);
        for (int step = 0; step < 64 && !input.IsEmpty; step++)
        {
            var (message, fds) = frontEnd.Next(step);
            if (input.Chance(2))
            {
                wire.SendPart(message, fds, input.U16());
                tally.Count("sessions cut");
                return;
            }
            var outcome = model.Next(message);
            tally.Count($"messages: {outcome}");
            tally.Saw("message", (int)message.Request, (int)outcome, Math.Min(message.Fds, 2));
            wire.Send(message, fds, input.Below(3));
            if (outcome == Outcome.Silence)
                continue;
            byte[]? reply = wire.Reply();
            if (outcome == Outcome.End)
            {
                FuzzException.Unless(reply == null, $"{message} is answered, and should end the connection");
                return;
            }
            CheckReply(message, outcome, reply);
        }
        // Whatever was refused in silence.
        CheckAlive(wire);
    }

    private static void CheckAlive(Wire wire)
    {
        var message = new RawMessage(GetFeatures, 1, 0, [], 0);
        wire.Send(message, [], 0);
        CheckReply(message, Outcome.Value, wire.Reply());
    }

    private static void CheckReply(RawMessage message, Outcome outcome, byte[]? reply)
    {
        if (reply == null)
            throw new FuzzException($"{message} ends the connection, and should not");
        FuzzException.UnlessEqual(message.Request, BinaryPrimitives.ReadUInt32LittleEndian(reply), "request of the reply");
        FuzzException.UnlessEqual(5u, BinaryPrimitives.ReadUInt32LittleEndian(reply.AsSpan(4)), "flags of the reply");
        FuzzException.UnlessEqual(outcome switch { Outcome.Nothing => 12, Outcome.NoInflight => 36, _ => 20 }, reply.Length, "bytes of the reply");
        FuzzException.Unless(outcome != Outcome.Acknowledgement || reply[12] <= 1, $"{message} is acknowledged with {reply[^8]}");
        FuzzException.Unless(outcome != Outcome.NoInflight || reply.AsSpan(12).IndexOfAnyExcept((byte)0) < 0, $"{message} is answered with a region");
    }

    /// <summary>The socket, from a front-end that may say anything.</summary>
    private sealed class Wire : IDisposable
    {
        private readonly RawPeer _peer;
        private readonly Poller _poller = new();
        private readonly List<byte> _received = [];

        public Wire(string path)
        {
            var socket = UnixSocket.Connect(path);
            _poller.Add(socket, PollInterest.Readable, 0);
            _peer = new RawPeer(socket);
        }

        public void Dispose()
        {
            _poller.Dispose();
            _peer.Dispose();
        }

        /// <summary>Sends a message in one or more parts. A back-end that has gone does not take it.</summary>
        public void Send(RawMessage message, FileDescriptor[] fds, int cuts)
        {
            byte[] bytes = RawPeer.Message(message.Request, message.Flags, message.Body);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), message.Size);
            int step = bytes.Length / (cuts + 1) + 1;
            for (int at = 0; at < bytes.Length; at += step)
                if (!_peer.Send(bytes.AsSpan(at, Math.Min(step, bytes.Length - at)), at == 0 ? fds : []))
                    return;
        }

        public void SendPart(RawMessage message, FileDescriptor[] fds, int part)
        {
            byte[] bytes = RawPeer.Message(message.Request, message.Flags, message.Body);
            _peer.Send(bytes.AsSpan(0, part % bytes.Length + 1), fds);
        }

        /// <summary>Waits for the next message.</summary>
        /// <returns>Null: the connection has ended.</returns>
        public byte[]? Reply()
        {
            var events = new PollEvent[1];
            while (_received.Count < 12 || _received.Count < 12 + Size())
            {
                if (_poller.Wait(events, (int)TestGuest.Patience.TotalMilliseconds) == 0)
                    throw new FuzzException("the back-end does not answer");
                byte[] more = _peer.ReadAll();
                if (more.Length == 0)
                    return null;
                _received.AddRange(more);
            }
            byte[] message = [.. _received[..(12 + Size())]];
            _received.RemoveRange(0, message.Length);
            return message;
        }

        private int Size() => BitConverter.ToInt32([.. _received[8..12]]);
    }
}
